create table community.moderation_daily (
    target_type varchar not null,
    reason varchar not null,
    day date not null,
    opened_by_users bigint not null,
    opened_automatically bigint not null,
    in_review bigint not null,
    resolved bigint not null,
    dismissed bigint not null,
    pending_at_end bigint not null,
    median_hours_to_resolution double precision,
    window_complete boolean not null,
    primary key (target_type, reason, day)
);

create index moderation_daily_day_idx on community.moderation_daily (day);

comment on table community.moderation_daily is
    'Flags opened and decided on a day and what was pending at its end; only where one of these is not 0.';
comment on column community.moderation_daily.target_type is 'idea, scene, segment, user or topic.';
comment on column community.moderation_daily.reason is 'Why it was reported.';
comment on column community.moderation_daily.day is 'Day, UTC.';
comment on column community.moderation_daily.opened_by_users is 'Flags opened on the day by a user.';
comment on column community.moderation_daily.opened_automatically is
    'Flags opened on the day without a reporter.';
comment on column community.moderation_daily.in_review is
    'Flags opened on the day that have status reviewing.';
comment on column community.moderation_daily.resolved is 'Flags resolved on the day.';
comment on column community.moderation_daily.dismissed is 'Flags dismissed on the day.';
comment on column community.moderation_daily.pending_at_end is
    'Flags opened up to the end of the day and not decided by then.';
comment on column community.moderation_daily.median_hours_to_resolution is
    'Median hours from opened to decided, of the flags decided on the day; null when none was.';
comment on column community.moderation_daily.window_complete is
    'False when a day that these numbers read was withheld and its last accepted state was used.';
