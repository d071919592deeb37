create table community.job_failures_daily (
    type varchar not null,
    stage varchar not null,
    error_code varchar not null,
    day date not null,
    failures bigint not null,
    retries bigint not null,
    primary key (type, stage, error_code, day)
);

create index job_failures_daily_day_idx on community.job_failures_daily (day);

comment on table community.job_failures_daily is
    'Failed jobs by stage and error, on the day on which they were queued; only what happened has a row.';
comment on column community.job_failures_daily.type is 'What the jobs make, such as continuation.';
comment on column community.job_failures_daily.stage is 'Stage that the jobs ended in.';
comment on column community.job_failures_daily.error_code is
    'Why they failed; unknown where the job does not say.';
comment on column community.job_failures_daily.day is 'Day on which the jobs were queued, UTC.';
comment on column community.job_failures_daily.failures is 'Jobs with status failed, at least 1.';
comment on column community.job_failures_daily.retries is 'How often they were tried again before.';
