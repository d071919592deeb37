with events as (
    select template_id, user_id, event_type, source, created_at
    from {{ source('bazaar', 'community_events') }}
),

counted as (
    select
        template_id,
        cast(created_at as date) as day,
        count(*) filter (where event_type = 'view') as views,
        count(*) filter (where event_type = 'favorite') as favorites,
        count(*) filter (where event_type = 'unfavorite') as unfavorites,
        count(*) filter (where event_type = 'use') as uses,
        count(*) filter (where event_type = 'mix') as mixes,
        count(*) filter (where event_type = 'prompt') as prompts,
        count(*) filter (where event_type = 'click') as clicks,
        count(*) as events,
        count(distinct user_id) as signed_in_users,
        count(*) - count(user_id) as anonymous_events,
        count(*) filter (where source = 'in_app_panel') as in_app_panel_events,
        count(*) filter (where source = 'community_site') as community_site_events,
        count(*) filter (where source = 'direct') as direct_events
    from events
    group by template_id, day
),

shared as (
    select
        template_id,
        day,
        views,
        favorites,
        unfavorites,
        uses,
        mixes,
        prompts,
        clicks,
        events,
        signed_in_users,
        anonymous_events / events as anonymous_share,
        in_app_panel_events,
        community_site_events,
        direct_events,
        events - in_app_panel_events - community_site_events - direct_events as other_source_events
    from counted
)

select * from shared
