create table community.contributor_daily (
    user_id uuid not null,
    day date not null,
    segments bigint not null,
    scenes bigint not null,
    seconds bigint not null,
    is_first_day boolean not null,
    window_complete boolean not null,
    primary key (user_id, day)
);

create index contributor_daily_day_idx on community.contributor_daily (day);

comment on table community.contributor_daily is
    'What a user contributed on a day; only days with an active segment.';
comment on column community.contributor_daily.user_id is 'User.';
comment on column community.contributor_daily.day is 'Day, UTC.';
comment on column community.contributor_daily.segments is 'Active segments added.';
comment on column community.contributor_daily.scenes is 'Distinct scenes that they were added to.';
comment on column community.contributor_daily.seconds is 'Seconds of video in them.';
comment on column community.contributor_daily.is_first_day is
    'Whether the user has no active segment on an earlier day.';
comment on column community.contributor_daily.window_complete is
    'False when a day that these numbers read was withheld and its last accepted state was used.';
