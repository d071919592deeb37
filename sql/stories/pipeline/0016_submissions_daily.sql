create table community.submissions_daily (
    kind varchar not null,
    day date not null,
    submitted bigint not null,
    pending bigint not null,
    approved bigint not null,
    rejected bigint not null,
    promoted bigint not null,
    primary key (kind, day)
);

create index submissions_daily_day_idx on community.submissions_daily (day);

comment on table community.submissions_daily is
    'Ideas shared and topics proposed, and how they were judged; every day has a row of each kind.';
comment on column community.submissions_daily.kind is 'idea or user_topic.';
comment on column community.submissions_daily.day is 'Day, UTC.';
comment on column community.submissions_daily.submitted is 'Ideas shared or topics proposed on the day.';
comment on column community.submissions_daily.pending is 'Those of them that are not judged yet.';
comment on column community.submissions_daily.approved is
    'Ideas of the day that are approved, or topics approved on the day.';
comment on column community.submissions_daily.rejected is
    'Ideas of the day that are rejected, or topics rejected on the day.';
comment on column community.submissions_daily.promoted is
    'Topics approved on the day that became topics of their own; 0 for ideas.';
