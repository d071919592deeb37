-- Seed 001: daily counts per template for view, favorite and use.
create table public.community_metrics_daily (
    template_id uuid not null references public.community_templates (id) on delete cascade,
    day date not null,
    event_type varchar(50) not null,
    count bigint default 0 not null,
    primary key (template_id, day, event_type)
);
