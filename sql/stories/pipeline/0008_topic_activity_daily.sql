create table community.topic_activity_daily (
    topic_id uuid not null,
    day date not null,
    ideas bigint not null,
    scenes bigint not null,
    segments bigint not null,
    views bigint not null,
    likes bigint not null,
    contributors bigint not null,
    primary key (topic_id, day)
);

create index topic_activity_daily_day_idx on community.topic_activity_daily (day);

comment on table community.topic_activity_daily is
    'What happened in a topic on a day; only days on which anything did.';
comment on column community.topic_activity_daily.topic_id is 'Topic.';
comment on column community.topic_activity_daily.day is 'Day, UTC.';
comment on column community.topic_activity_daily.ideas is 'Active ideas shared.';
comment on column community.topic_activity_daily.scenes is 'Active scenes started.';
comment on column community.topic_activity_daily.segments is 'Active segments added to its scenes.';
comment on column community.topic_activity_daily.views is 'Views of its scenes.';
comment on column community.topic_activity_daily.likes is
    'Likes given to its scenes and ideas on this day and not taken back.';
comment on column community.topic_activity_daily.contributors is
    'Distinct users who added those segments, each once for all scenes.';
