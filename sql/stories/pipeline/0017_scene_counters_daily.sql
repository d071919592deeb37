create table community.scene_counters_daily (
    scene_id uuid not null,
    day date not null,
    segments_change bigint not null,
    duration_change bigint not null,
    contributors_change bigint not null,
    views_change bigint not null,
    likes_change bigint not null,
    segments_total bigint not null,
    duration_total bigint not null,
    contributors_total bigint not null,
    views_total bigint not null,
    likes_total bigint not null,
    window_complete boolean not null,
    primary key (scene_id, day)
);

create index scene_counters_daily_day_idx on community.scene_counters_daily (day);

comment on table community.scene_counters_daily is
    'How a scene''s counters changed on a day, and what they were at its end; only days with a change.';
comment on column community.scene_counters_daily.scene_id is 'Scene.';
comment on column community.scene_counters_daily.day is 'Day, UTC.';
comment on column community.scene_counters_daily.segments_change is 'Active segments added on this day.';
comment on column community.scene_counters_daily.duration_change is 'Seconds of video in them.';
comment on column community.scene_counters_daily.contributors_change is
    'Users whose first active segment in the scene is of this day.';
comment on column community.scene_counters_daily.views_change is 'Views on this day.';
comment on column community.scene_counters_daily.likes_change is
    'Likes given to the scene on this day and not taken back.';
comment on column community.scene_counters_daily.segments_total is
    'All active segments up to the end of the day.';
comment on column community.scene_counters_daily.duration_total is
    'Seconds of video in all active segments up to the end of the day.';
comment on column community.scene_counters_daily.contributors_total is
    'Distinct users with an active segment up to the end of the day.';
comment on column community.scene_counters_daily.views_total is 'All views up to the end of the day.';
comment on column community.scene_counters_daily.likes_total is
    'All likes given up to the end of the day and not taken back.';
comment on column community.scene_counters_daily.window_complete is
    'False when a day that these numbers read was withheld and its last accepted state was used.';
