-- True counts by key, of events from {since} on and before {until}; favorites by both rules.
with counted as (
    select {community_events.template_id} as key,
        count(*) filter (where {community_events.event_type} = 'view') as views_count,
        count(*) filter (where {community_events.event_type} = 'use') as uses_count
    from {community_events}
    where {community_events.event_type} in ('view', 'use')
        and {community_events.created_at} >= {since} and {community_events.created_at} < {until}
    group by {community_events.template_id}
),
last_words as (
    select distinct on ({community_events.template_id}, {community_events.user_id})
        {community_events.template_id} as key,
        {community_events.event_type} as event_type
    from {community_events}
    where {community_events.event_type} in ('favorite', 'unfavorite')
        and {community_events.user_id} is not null
        and {community_events.created_at} >= {since} and {community_events.created_at} < {until}
    order by {community_events.template_id}, {community_events.user_id},
        {community_events.created_at} desc, {community_events.id} desc
),
by_events as (
    select key, count(*) as favorites_by_events
    from last_words
    where event_type = 'favorite'
    group by key
),
by_rows as (
    select favorites.{community_favorites.template_id} as key, count(*) as favorites_by_rows
    from {community_favorites} as favorites
    join {users} as users on users.{users.id} = favorites.{community_favorites.user_id}
    group by favorites.{community_favorites.template_id}
)
select key,
    coalesce(views_count, 0) as views_count,
    coalesce(favorites_by_events, 0) as favorites_by_events,
    coalesce(favorites_by_rows, 0) as favorites_by_rows,
    coalesce(uses_count, 0) as uses_count
from counted full join by_events using (key) full join by_rows using (key)
