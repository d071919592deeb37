-- Seed 002: a user's account at a provider, such as google or github.
create table public.oauth_accounts (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references public.users (id) on delete cascade,
    provider varchar(50) not null,
    provider_id varchar(255) not null,
    access_token text,
    refresh_token text,
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    unique (provider, provider_id)
);

create index idx_oauth_user_id on public.oauth_accounts (user_id);
