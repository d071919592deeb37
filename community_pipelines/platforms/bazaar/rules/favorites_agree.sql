-- Rows (template, by events, by rows) where they differ: users whose last event says favorite, against the rows of
-- community_favorites (deleted users excepted).
with last_words as (
    select distinct on (events.{community_events.template_id}, events.{community_events.user_id})
        events.{community_events.template_id} as template_id,
        events.{community_events.event_type} as event_type
    from {community_events} as events
    join {users} as users on users.{users.id} = events.{community_events.user_id}
    where events.{community_events.event_type} in ('favorite', 'unfavorite')
        and events.{community_events.created_at} >= {since}
        and events.{community_events.created_at} < {until}
    order by events.{community_events.template_id}, events.{community_events.user_id},
        events.{community_events.created_at} desc, events.{community_events.id} desc
),
by_events as (
    select template_id, count(*) as favorites
    from last_words
    where event_type = 'favorite'
    group by template_id
),
by_rows as (
    select {community_favorites.template_id} as template_id, count(*) as favorites
    from {community_favorites}
    group by {community_favorites.template_id}
)
select template_id, coalesce(by_events.favorites, 0), coalesce(by_rows.favorites, 0)
from by_events full join by_rows using (template_id)
where coalesce(by_events.favorites, 0) <> coalesce(by_rows.favorites, 0)
order by template_id
