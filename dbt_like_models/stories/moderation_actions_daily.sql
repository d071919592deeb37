with reviews as (
    select target_type, reason, status, action_taken, reviewed_at
    from {{ source('stories', 'moderation_reviews') }}
),

actions as (
    select
        target_type,
        reason,
        coalesce(action_taken, 'none') as action_taken,
        cast(reviewed_at as date) as day,
        count(*) as resolved
    from reviews
    where status = 'resolved'
    group by target_type, reason, coalesce(action_taken, 'none'), day
)

select * from actions
