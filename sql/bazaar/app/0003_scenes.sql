-- The scenes that a project is made of; duration is in frames.
create table public."bazaar-vid_scene" (
    id uuid primary key default gen_random_uuid(),
    "projectId" uuid not null references public."bazaar-vid_project" (id) on delete cascade,
    "order" integer not null,
    name varchar(255),
    "tsxCode" text not null,
    duration integer not null,
    props jsonb,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now()
);

create index "bazaar-vid_scene_project_idx" on public."bazaar-vid_scene" ("projectId", "order");
