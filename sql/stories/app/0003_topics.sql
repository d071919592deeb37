-- Seed 002: topics that the admins keep. The app counts a topic's scenes in scene_count.
create table public.topics (
    id uuid primary key default gen_random_uuid(),
    name varchar(100) not null,
    slug varchar(100) not null unique,
    description text,
    icon_url varchar(500),
    is_curated boolean not null default true,
    is_active boolean not null default true,
    display_order integer not null default 0,
    scene_count integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index idx_topics_slug on public.topics (slug);
create index idx_topics_display_order on public.topics (display_order);
