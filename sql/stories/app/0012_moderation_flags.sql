-- Seed 002: reports about ideas, scenes, segments, users and topics. Without a reporter it was found automatically.
create table public.moderation_flags (
    id uuid primary key default gen_random_uuid(),
    target_type varchar(20) not null,
    target_id uuid not null,
    reporter_id uuid references public.users (id),
    reason varchar(50) not null,
    description text,
    status varchar(20) not null default 'pending',
    reviewed_by uuid references public.users (id),
    reviewed_at timestamptz,
    action_taken varchar(50),
    notes text,
    created_at timestamptz not null default now(),
    constraint moderation_target_type_check check (target_type in ('idea', 'scene', 'segment', 'user', 'topic')),
    constraint moderation_status_check check (status in ('pending', 'reviewing', 'resolved', 'dismissed'))
);

create index idx_moderation_status on public.moderation_flags (status) where status = 'pending';
create index idx_moderation_target on public.moderation_flags (target_type, target_id);
create index idx_moderation_created_at on public.moderation_flags (created_at desc);
