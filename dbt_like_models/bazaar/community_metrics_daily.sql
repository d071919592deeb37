with events as (
    select template_id, event_type, created_at
    from {{ source('bazaar', 'community_events') }}
),

counted as (
    select
        template_id,
        cast(created_at as date) as day,
        event_type,
        count(*) as count
    from events
    where event_type in ('view', 'favorite', 'use')
    group by template_id, day, event_type
)

select * from counted
