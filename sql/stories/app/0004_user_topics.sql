-- Seed 002: topics that users propose. An approved one may be promoted to a topic.
create table public.user_topics (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references public.users (id),
    name varchar(100) not null,
    description text,
    status varchar(20) not null default 'pending',
    reviewed_by uuid references public.users (id),
    reviewed_at timestamptz,
    rejection_reason text,
    promoted_to_topic_id uuid references public.topics (id),
    created_at timestamptz not null default now(),
    constraint user_topics_status_check check (status in ('pending', 'approved', 'rejected'))
);

create index idx_user_topics_status on public.user_topics (status);
create index idx_user_topics_user_id on public.user_topics (user_id);
