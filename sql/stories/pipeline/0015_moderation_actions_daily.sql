create table community.moderation_actions_daily (
    target_type varchar not null,
    reason varchar not null,
    action_taken varchar not null,
    day date not null,
    resolved bigint not null,
    primary key (target_type, reason, action_taken, day)
);

create index moderation_actions_daily_day_idx on community.moderation_actions_daily (day);

comment on table community.moderation_actions_daily is
    'What was done about the flags that were resolved on a day, by the time of review; only what happened has a row.';
comment on column community.moderation_actions_daily.target_type is 'idea, scene, segment, user or topic.';
comment on column community.moderation_actions_daily.reason is 'Why it was reported.';
comment on column community.moderation_actions_daily.action_taken is
    'What was done; none where the flag does not say.';
comment on column community.moderation_actions_daily.day is 'Day, UTC.';
comment on column community.moderation_actions_daily.resolved is 'Flags resolved that way, at least 1.';
