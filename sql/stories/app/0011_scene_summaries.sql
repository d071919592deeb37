-- Seed 002: summaries of long scenes, with the sequence numbers of the segments that they cover.
create table public.scene_summaries (
    id uuid primary key default gen_random_uuid(),
    scene_id uuid not null references public.scenes (id) on delete cascade,
    summary text not null,
    segments_covered integer[] not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index idx_scene_summaries_scene_id on public.scene_summaries (scene_id);
