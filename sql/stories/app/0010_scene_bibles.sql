-- Seed 002: what must stay true in a scene (characters, setting, timeline), one row per version.
create table public.scene_bibles (
    id uuid primary key default gen_random_uuid(),
    scene_id uuid not null references public.scenes (id) on delete cascade,
    version integer not null,
    data jsonb not null,
    created_at timestamptz not null default now(),
    created_by_segment_id uuid,
    unique (scene_id, version)
);

create index idx_scene_bibles_scene_id on public.scene_bibles (scene_id);
create index idx_scene_bibles_scene_version on public.scene_bibles (scene_id, version desc);
