-- Seed 002: categories within a topic.
create table public.categories (
    id uuid primary key default gen_random_uuid(),
    topic_id uuid not null references public.topics (id) on delete cascade,
    name varchar(100) not null,
    slug varchar(100) not null,
    description text,
    display_order integer not null default 0,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    unique (topic_id, slug)
);

create index idx_categories_topic_id on public.categories (topic_id);
