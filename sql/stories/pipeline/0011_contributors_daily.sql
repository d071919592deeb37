create table community.contributors_daily (
    day date not null,
    contributors bigint not null,
    new_contributors bigint not null,
    returning_contributors bigint not null,
    segments bigint not null,
    seconds bigint not null,
    signups bigint not null,
    window_complete boolean not null,
    primary key (day)
);

comment on table community.contributors_daily is
    'How many people contributed on a day, new and returning; every day has a row.';
comment on column community.contributors_daily.day is 'Day, UTC.';
comment on column community.contributors_daily.contributors is 'Users who added an active segment.';
comment on column community.contributors_daily.new_contributors is
    'Those of them without an active segment on an earlier day.';
comment on column community.contributors_daily.returning_contributors is 'Those of them with one.';
comment on column community.contributors_daily.segments is 'Active segments added.';
comment on column community.contributors_daily.seconds is 'Seconds of video in them.';
comment on column community.contributors_daily.signups is
    'Users who signed up, whether or not they contributed.';
comment on column community.contributors_daily.window_complete is
    'False when a day that these numbers read was withheld and its last accepted state was used.';
