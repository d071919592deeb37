-- What the log says, but for three favorites that the app forgot to store and three that it forgot to remove.
insert into community_favorites (user_id, template_id, created_at)
with last_words as (
    select distinct on (user_id, template_id) user_id, template_id, event_type, created_at
    from community_events
    where event_type in ('favorite', 'unfavorite') and user_id is not null
    order by user_id, template_id, created_at desc, id desc
),
placed as (
    select
        last_word.*,
        row_number() over (partition by event_type order by md5(user_id || template_id::text)) as place
    from last_words as last_word
    join "bazaar-vid_user" as known_user on known_user.id = last_word.user_id
)
select user_id, template_id, created_at
from placed
where (event_type = 'favorite') = (place > 3)
