create table community.topic_counters_daily (
    topic_id uuid not null,
    day date not null,
    scenes_change bigint not null,
    scenes_total bigint not null,
    window_complete boolean not null,
    primary key (topic_id, day)
);

create index topic_counters_daily_day_idx on community.topic_counters_daily (day);

comment on table community.topic_counters_daily is
    'How a topic''s counter changed on a day, and what it was at its end; only days with a change.';
comment on column community.topic_counters_daily.topic_id is 'Topic.';
comment on column community.topic_counters_daily.day is 'Day, UTC.';
comment on column community.topic_counters_daily.scenes_change is 'Active scenes started in it on this day.';
comment on column community.topic_counters_daily.scenes_total is
    'All active scenes started in it up to the end of the day.';
comment on column community.topic_counters_daily.window_complete is
    'False when a day that these numbers read was withheld and its last accepted state was used.';
