create table community.job_health_daily (
    type varchar not null,
    day date not null,
    queued bigint not null,
    finished bigint not null,
    failed bigint not null,
    cancelled bigint not null,
    still_open bigint not null,
    success_rate double precision,
    retries bigint not null,
    waiting_p50_seconds double precision,
    waiting_p95_seconds double precision,
    waiting_max_seconds double precision,
    running_p50_seconds double precision,
    running_p95_seconds double precision,
    running_max_seconds double precision,
    total_p50_seconds double precision,
    total_p95_seconds double precision,
    total_max_seconds double precision,
    primary key (type, day)
);

create index job_health_daily_day_idx on community.job_health_daily (day);

comment on table community.job_health_daily is
    'What became of the jobs that were queued on a day; only types with a job on that day.';
comment on column community.job_health_daily.type is 'What the jobs make, such as continuation.';
comment on column community.job_health_daily.day is 'Day on which the jobs were queued, UTC.';
comment on column community.job_health_daily.queued is 'Jobs queued on the day.';
comment on column community.job_health_daily.finished is 'Those of them with status final_ready.';
comment on column community.job_health_daily.failed is 'Those of them with status failed.';
comment on column community.job_health_daily.cancelled is 'Those of them with status cancelled.';
comment on column community.job_health_daily.still_open is 'Those of them with any other status.';
comment on column community.job_health_daily.success_rate is
    'Finished over finished and failed; null when neither.';
comment on column community.job_health_daily.retries is 'How often jobs of the day were tried again.';
comment on column community.job_health_daily.waiting_p50_seconds is
    'Median seconds from queued to started; null when no job has both times.';
comment on column community.job_health_daily.waiting_p95_seconds is
    '95th percentile of the seconds from queued to started; null when no job has both times.';
comment on column community.job_health_daily.waiting_max_seconds is
    'Most seconds from queued to started; null when no job has both times.';
comment on column community.job_health_daily.running_p50_seconds is
    'Median seconds from started to completed; null when no job has both times.';
comment on column community.job_health_daily.running_p95_seconds is
    '95th percentile of the seconds from started to completed; null when no job has both times.';
comment on column community.job_health_daily.running_max_seconds is
    'Most seconds from started to completed; null when no job has both times.';
comment on column community.job_health_daily.total_p50_seconds is
    'Median seconds from queued to completed; null when no job has both times.';
comment on column community.job_health_daily.total_p95_seconds is
    '95th percentile of the seconds from queued to completed; null when no job has both times.';
comment on column community.job_health_daily.total_max_seconds is
    'Most seconds from queued to completed; null when no job has both times.';
