with jobs as (
    select type, status, retry_count, created_at, started_at, completed_at
    from {{ source('stories', 'jobs') }}
),

-- Whole microseconds: subtracting times themselves, or sorting fractions, takes several times as long.
timed as (
    select
        type,
        status,
        retry_count,
        created_at,
        epoch_us(started_at) - epoch_us(created_at) as waiting,
        epoch_us(completed_at) - epoch_us(started_at) as running,
        epoch_us(completed_at) - epoch_us(created_at) as total
    from jobs
),

counted as (
    select
        type,
        cast(created_at as date) as day,
        count(*) as queued,
        count(*) filter (where status = 'final_ready') as finished,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'cancelled') as cancelled,
        sum(retry_count) as retries,
        quantile_cont(waiting, [0.5, 0.95]) as waiting_quantiles,
        max(waiting) as waiting_max,
        quantile_cont(running, [0.5, 0.95]) as running_quantiles,
        max(running) as running_max,
        quantile_cont(total, [0.5, 0.95]) as total_quantiles,
        max(total) as total_max
    from timed
    group by type, day
),

health as (
    select
        type,
        day,
        queued,
        finished,
        failed,
        cancelled,
        queued - finished - failed - cancelled as still_open,
        finished / nullif(finished + failed, 0) as success_rate,
        cast(coalesce(retries, 0) as bigint) as retries,
        waiting_quantiles[1] / 1e6 as waiting_p50_seconds,
        waiting_quantiles[2] / 1e6 as waiting_p95_seconds,
        waiting_max / 1e6 as waiting_max_seconds,
        running_quantiles[1] / 1e6 as running_p50_seconds,
        running_quantiles[2] / 1e6 as running_p95_seconds,
        running_max / 1e6 as running_max_seconds,
        total_quantiles[1] / 1e6 as total_p50_seconds,
        total_quantiles[2] / 1e6 as total_p95_seconds,
        total_max / 1e6 as total_max_seconds
    from counted
)

select * from health
