create table community.scene_activity_daily (
    scene_id uuid not null,
    day date not null,
    views bigint not null,
    viewers bigint not null,
    likes bigint not null,
    segments bigint not null,
    contributors bigint not null,
    seconds bigint not null,
    primary key (scene_id, day)
);

create index scene_activity_daily_day_idx on community.scene_activity_daily (day);

comment on table community.scene_activity_daily is
    'What happened in a scene on a day; only days with a view, a like or an active segment.';
comment on column community.scene_activity_daily.scene_id is 'Scene.';
comment on column community.scene_activity_daily.day is 'Day, UTC.';
comment on column community.scene_activity_daily.views is 'Views, with or without a known viewer.';
comment on column community.scene_activity_daily.viewers is
    'Distinct viewers: by user, else by the hash of the address; views with neither have no viewer.';
comment on column community.scene_activity_daily.likes is
    'Likes given to the scene on this day and not taken back.';
comment on column community.scene_activity_daily.segments is 'Active segments added.';
comment on column community.scene_activity_daily.contributors is 'Distinct users who added them.';
comment on column community.scene_activity_daily.seconds is 'Seconds of video in them.';
