-- Only the batch's days are counted. It reads as far back as contributor_daily does, so that a withheld day marks
-- the same days incomplete in both.
with batch as (
    select day, window_complete
    from {{ source('calendar', 'days') }}
),

contributors as (
    select day, segments, seconds, is_first_day
    from {{ ref('contributor_daily').render() }}
),

users as (
    select created_at
    from {{ source('stories', 'users') }}
),

contributed as (
    select
        day,
        count(*) as contributors,
        count(*) filter (where is_first_day) as new_contributors,
        sum(segments) as segments,
        sum(seconds) as seconds
    from contributors
    group by day
),

signed_up as (
    select cast(created_at as date) as day, count(*) as signups
    from users
    group by day
),

totals as (
    select
        batch.day,
        coalesce(contributed.contributors, 0) as contributors,
        coalesce(contributed.new_contributors, 0) as new_contributors,
        coalesce(contributed.contributors - contributed.new_contributors, 0) as returning_contributors,
        cast(coalesce(contributed.segments, 0) as bigint) as segments,
        cast(coalesce(contributed.seconds, 0) as bigint) as seconds,
        coalesce(signed_up.signups, 0) as signups,
        batch.window_complete
    from batch
    left join contributed on batch.day = contributed.day
    left join signed_up on batch.day = signed_up.day
)

select * from totals
