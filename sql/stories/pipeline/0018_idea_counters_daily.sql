create table community.idea_counters_daily (
    idea_id uuid not null,
    day date not null,
    scenes_change bigint not null,
    likes_change bigint not null,
    views_change bigint not null,
    scenes_total bigint not null,
    likes_total bigint not null,
    views_total bigint not null,
    window_complete boolean not null,
    primary key (idea_id, day)
);

create index idea_counters_daily_day_idx on community.idea_counters_daily (day);

comment on table community.idea_counters_daily is
    'How an idea''s counters changed on a day, and what they were at its end; only days with a change.';
comment on column community.idea_counters_daily.idea_id is 'Idea.';
comment on column community.idea_counters_daily.day is 'Day, UTC.';
comment on column community.idea_counters_daily.scenes_change is 'Active scenes started from it on this day.';
comment on column community.idea_counters_daily.likes_change is
    'Likes given to the idea on this day and not taken back; those of its scenes are not among them.';
comment on column community.idea_counters_daily.views_change is 'Views of its scenes on this day.';
comment on column community.idea_counters_daily.scenes_total is
    'All active scenes started from it up to the end of the day.';
comment on column community.idea_counters_daily.likes_total is
    'All likes given to the idea up to the end of the day and not taken back.';
comment on column community.idea_counters_daily.views_total is
    'All views of its scenes up to the end of the day.';
comment on column community.idea_counters_daily.window_complete is
    'False when a day that these numbers read was withheld and its last accepted state was used.';
