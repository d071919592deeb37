-- The app's projects, as far as templates and their snapshots need them.
create table public."bazaar-vid_project" (
    id uuid primary key default gen_random_uuid(),
    "userId" varchar(255) not null references public."bazaar-vid_user" (id) on delete cascade,
    title varchar(255) not null,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now()
);

create index "bazaar-vid_project_user_idx" on public."bazaar-vid_project" ("userId");
