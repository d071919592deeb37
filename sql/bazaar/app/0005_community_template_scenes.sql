-- Seed 001: frozen copies of a project's scenes, numbered within their template.
create table public.community_template_scenes (
    id uuid primary key default gen_random_uuid() not null,
    template_id uuid not null references public.community_templates (id) on delete cascade,
    scene_index integer not null,
    title varchar(255),
    tsx_code text not null,
    duration integer not null,
    preview_frame integer default 15,
    code_hash text,
    created_at timestamptz default now() not null,
    unique (template_id, scene_index)
);

create index community_template_scenes_template_idx on public.community_template_scenes (template_id);
