-- Seed 001: which user holds which template as a favorite now.
create table public.community_favorites (
    user_id varchar(255) not null references public."bazaar-vid_user" (id) on delete cascade,
    template_id uuid not null references public.community_templates (id) on delete cascade,
    created_at timestamptz default now() not null,
    primary key (user_id, template_id)
);

create index community_favorites_template_idx on public.community_favorites (template_id);
