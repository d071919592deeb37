-- Seed 002: story prompts, from which users start scenes.
create table public.ideas (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references public.users (id),
    topic_id uuid not null references public.topics (id),
    category_id uuid references public.categories (id),
    title varchar(200) not null,
    prompt text not null,
    tags text[],
    status varchar(20) not null default 'active',
    moderation_status varchar(20) not null default 'pending',
    scene_count integer not null default 0,
    like_count integer not null default 0,
    view_count integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint ideas_status_check check (status in ('active', 'hidden', 'removed')),
    constraint ideas_moderation_check check (moderation_status in ('pending', 'approved', 'rejected'))
);

create index idx_ideas_topic_id on public.ideas (topic_id);
create index idx_ideas_category_id on public.ideas (category_id);
create index idx_ideas_user_id on public.ideas (user_id);
create index idx_ideas_status on public.ideas (status) where status = 'active';
create index idx_ideas_created_at on public.ideas (created_at desc);
create index idx_ideas_like_count on public.ideas (like_count desc);
create index idx_ideas_tags on public.ideas using gin (tags);
