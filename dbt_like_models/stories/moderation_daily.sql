-- The day's own flags and decisions are counted; of all earlier ones only what is pending matters.
with batch as (
    select day, window_complete
    from {{ source('calendar', 'days') }}
),

flags as (
    select target_type, reason, reporter_id, status, created_at
    from {{ source('stories', 'moderation_flags') }}
),

reviews as (
    select target_type, reason, status, created_at, reviewed_at
    from {{ source('stories', 'moderation_reviews') }}
),

all_flags as (
    select id, target_type, reason, created_at
    from {{ source('stories', 'moderation_flags').render() }}
),

all_reviews as (
    select id, status, reviewed_at
    from {{ source('stories', 'moderation_reviews').render() }}
),

opened as (
    select
        target_type,
        reason,
        cast(created_at as date) as day,
        count(reporter_id) as opened_by_users,
        count(*) - count(reporter_id) as opened_automatically,
        count(*) filter (where status = 'reviewing') as in_review
    from flags
    group by target_type, reason, day
),

decided as (
    select
        target_type,
        reason,
        cast(reviewed_at as date) as day,
        count(*) filter (where status = 'resolved') as resolved,
        count(*) filter (where status = 'dismissed') as dismissed,
        quantile_cont(epoch_us(reviewed_at) - epoch_us(created_at), 0.5) / 3.6e9 as median_hours_to_resolution
    from reviews
    where status in ('resolved', 'dismissed')
    group by target_type, reason, day
),

-- A flag that is decided again is in the files of two days until the first is read anew.
endings as (
    select id, min(cast(reviewed_at as date)) as day
    from all_reviews
    where status in ('resolved', 'dismissed')
    group by id
),

-- Flag by flag, so that decisions about flags from before the first day that was extracted end nothing.
pending_changes as (
    select target_type, reason, cast(created_at as date) as day, 1 as change
    from all_flags
    union all
    select
        all_flags.target_type,
        all_flags.reason,
        greatest(cast(all_flags.created_at as date), endings.day) as day,
        -1 as change
    from all_flags
    inner join endings on all_flags.id = endings.id
),

summed as (
    select target_type, reason, day, sum(change) as change
    from pending_changes
    group by target_type, reason, day
),

kinds as (
    select target_type, reason
    from summed
    union
    select target_type, reason
    from decided
),

-- With a row for every day of the batch, so that what stays pending is seen on quiet days, too.
steps as (
    select target_type, reason, day, change
    from summed
    union all
    select kinds.target_type, kinds.reason, batch.day, 0 as change
    from kinds
    cross join batch
),

days as (
    select target_type, reason, day, sum(change) as change
    from steps
    group by target_type, reason, day
),

running as (
    select
        target_type,
        reason,
        day,
        cast(sum(change) over by_day as bigint) as pending_at_end
    from days
    window by_day as (partition by target_type, reason order by day rows unbounded preceding)
),

moderation as (
    select
        running.target_type,
        running.reason,
        batch.day,
        coalesce(opened.opened_by_users, 0) as opened_by_users,
        coalesce(opened.opened_automatically, 0) as opened_automatically,
        coalesce(opened.in_review, 0) as in_review,
        coalesce(decided.resolved, 0) as resolved,
        coalesce(decided.dismissed, 0) as dismissed,
        running.pending_at_end,
        decided.median_hours_to_resolution,
        batch.window_complete
    from running
    inner join batch on running.day = batch.day
    left join opened
        on running.target_type = opened.target_type
        and running.reason = opened.reason
        and running.day = opened.day
    left join decided
        on running.target_type = decided.target_type
        and running.reason = decided.reason
        and running.day = decided.day
    where opened.day is not null or decided.day is not null or running.pending_at_end > 0
)

select * from moderation
