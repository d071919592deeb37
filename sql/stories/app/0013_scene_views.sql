-- Seed 002: the log of views. A view without a user has the hash of its address, if any.
create table public.scene_views (
    id uuid primary key default gen_random_uuid(),
    scene_id uuid not null,
    user_id uuid,
    ip_hash varchar(64),
    created_at timestamptz not null default now()
);

create index idx_scene_views_scene_id on public.scene_views (scene_id);
create index idx_scene_views_created_at on public.scene_views (created_at);
