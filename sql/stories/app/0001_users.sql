-- Seed 002: people who sign in. The password hash is null for those who sign in through a provider.
create table public.users (
    id uuid primary key default gen_random_uuid(),
    email varchar(255) not null unique,
    password_hash varchar(255),
    username varchar(50) not null unique,
    display_name varchar(100),
    avatar_url varchar(500),
    bio text,
    role varchar(20) not null default 'user',
    email_verified boolean not null default false,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_login_at timestamptz,
    constraint users_role_check check (role in ('user', 'moderator', 'admin'))
);

create index idx_users_email on public.users (email);
create index idx_users_username on public.users (username);
create index idx_users_created_at on public.users (created_at);
