with jobs as (
    select type, stage, status, error_code, retry_count, created_at
    from {{ source('stories', 'jobs') }}
),

failures as (
    select
        type,
        stage,
        coalesce(error_code, 'unknown') as error_code,
        cast(created_at as date) as day,
        count(*) as failures,
        cast(coalesce(sum(retry_count), 0) as bigint) as retries
    from jobs
    where status = 'failed'
    group by type, stage, coalesce(error_code, 'unknown'), day
)

select * from failures
