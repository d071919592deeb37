with batch as (
    select day
    from {{ source('calendar', 'days') }}
),

ideas as (
    select moderation_status, created_at
    from {{ source('stories', 'ideas') }}
),

user_topics as (
    select status, created_at
    from {{ source('stories', 'user_topics') }}
),

user_topic_reviews as (
    select status, promoted_to_topic_id, reviewed_at
    from {{ source('stories', 'user_topic_reviews') }}
),

-- One row of each kind and day, so that quiet days have theirs.
parts as (
    select
        kinds.kind,
        batch.day,
        0 as submitted,
        0 as pending,
        0 as approved,
        0 as rejected,
        0 as promoted
    from batch
    cross join (values ('idea'), ('user_topic')) as kinds (kind)
    union all
    select
        'idea' as kind,
        cast(created_at as date) as day,
        count(*) as submitted,
        count(*) filter (where moderation_status = 'pending') as pending,
        count(*) filter (where moderation_status = 'approved') as approved,
        count(*) filter (where moderation_status = 'rejected') as rejected,
        0 as promoted
    from ideas
    group by day
    union all
    select
        'user_topic' as kind,
        cast(created_at as date) as day,
        count(*) as submitted,
        count(*) filter (where status = 'pending') as pending,
        0 as approved,
        0 as rejected,
        0 as promoted
    from user_topics
    group by day
    union all
    select
        'user_topic' as kind,
        cast(reviewed_at as date) as day,
        0 as submitted,
        0 as pending,
        count(*) filter (where status = 'approved') as approved,
        count(*) filter (where status = 'rejected') as rejected,
        count(*) filter (where status = 'approved' and promoted_to_topic_id is not null) as promoted
    from user_topic_reviews
    group by day
),

submissions as (
    select
        kind,
        day,
        cast(sum(submitted) as bigint) as submitted,
        cast(sum(pending) as bigint) as pending,
        cast(sum(approved) as bigint) as approved,
        cast(sum(rejected) as bigint) as rejected,
        cast(sum(promoted) as bigint) as promoted
    from parts
    group by kind, day
)

select * from submissions
