-- Seed 001: one row per template. Visibility is public or unlisted, status is active or disabled.
create table public.community_templates (
    id uuid primary key default gen_random_uuid() not null,
    slug varchar(255) unique not null,
    title varchar(255) not null,
    description text,
    owner_user_id varchar(255) references public."bazaar-vid_user" (id),
    source_project_id uuid references public."bazaar-vid_project" (id),
    thumbnail_url text,
    supported_formats jsonb default '["landscape","portrait","square"]'::jsonb,
    tags jsonb default '[]'::jsonb,
    category varchar(100),
    visibility varchar(50) default 'public',
    status varchar(50) default 'active',
    views_count bigint default 0 not null,
    favorites_count bigint default 0 not null,
    uses_count bigint default 0 not null,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null
);

create index community_templates_owner_idx on public.community_templates (owner_user_id);
create index community_templates_visibility_idx on public.community_templates (visibility, status);
create index community_templates_created_idx on public.community_templates (created_at desc);
