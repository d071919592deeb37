-- Seed 002: who likes which idea or scene now; a like that is taken back is deleted.
create table public.likes (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references public.users (id),
    target_type varchar(20) not null,
    target_id uuid not null,
    created_at timestamptz not null default now(),
    unique (user_id, target_type, target_id)
);

create index idx_likes_target on public.likes (target_type, target_id);
