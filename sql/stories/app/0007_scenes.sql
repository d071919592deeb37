-- Seed 002: story threads. total_duration is in seconds; bible_version is the version that writers agree on.
create table public.scenes (
    id uuid primary key default gen_random_uuid(),
    idea_id uuid not null references public.ideas (id),
    user_id uuid not null references public.users (id),
    topic_id uuid not null references public.topics (id),
    title varchar(200) not null,
    description text,
    status varchar(20) not null default 'active',
    segment_count integer not null default 0,
    total_duration integer not null default 0,
    contributor_count integer not null default 0,
    view_count integer not null default 0,
    like_count integer not null default 0,
    thumbnail_url varchar(500),
    bible_version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_segment_at timestamptz,
    constraint scenes_status_check check (status in ('active', 'hidden', 'removed', 'locked'))
);

create index idx_scenes_idea_id on public.scenes (idea_id);
create index idx_scenes_user_id on public.scenes (user_id);
create index idx_scenes_topic_id on public.scenes (topic_id);
create index idx_scenes_status on public.scenes (status) where status = 'active';
create index idx_scenes_created_at on public.scenes (created_at desc);
create index idx_scenes_like_count on public.scenes (like_count desc);
create index idx_scenes_last_segment_at on public.scenes (last_segment_at desc);
