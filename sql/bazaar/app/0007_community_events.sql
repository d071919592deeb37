-- Seed 001: the log that all numbers come from. Types are view, favorite, unfavorite, use, mix, prompt and
-- click; sources are in_app_panel, community_site and direct.
create table public.community_events (
    id uuid primary key default gen_random_uuid() not null,
    template_id uuid not null references public.community_templates (id) on delete cascade,
    user_id varchar(255),
    event_type varchar(50) not null,
    source varchar(50),
    project_id uuid,
    scene_count integer,
    referrer text,
    user_agent text,
    created_at timestamptz default now() not null
);

create index community_events_template_idx on public.community_events (template_id, created_at);
create index community_events_type_idx on public.community_events (event_type, created_at);
