create table community.idea_activity_daily (
    idea_id uuid not null,
    day date not null,
    scenes bigint not null,
    likes bigint not null,
    views bigint not null,
    primary key (idea_id, day)
);

create index idea_activity_daily_day_idx on community.idea_activity_daily (day);

comment on table community.idea_activity_daily is
    'What an idea led to on a day; only days on which it led to anything.';
comment on column community.idea_activity_daily.idea_id is 'Idea.';
comment on column community.idea_activity_daily.day is 'Day, UTC.';
comment on column community.idea_activity_daily.scenes is 'Active scenes started from it.';
comment on column community.idea_activity_daily.likes is
    'Likes given to the idea on this day and not taken back; those of its scenes are not among them.';
comment on column community.idea_activity_daily.views is 'Views of its scenes.';
