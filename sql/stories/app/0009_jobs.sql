-- Seed 002: AI work for a scene; progress goes from 0 to 100. One partition per month, archived after 6 months.
-- The seed's unique (idempotency_key) would need the partition key in it; a later file keeps that promise.
create table public.jobs (
    id uuid not null default gen_random_uuid(),
    scene_id uuid not null,
    user_id uuid not null,
    type varchar(50) not null default 'continuation',
    status varchar(30) not null default 'queued',
    stage varchar(30) not null default 'pending',
    progress integer not null default 0,
    message text,
    input_text text not null,
    bible_version integer not null,
    context_data jsonb,
    result_data jsonb,
    error_code varchar(50),
    error_message text,
    retry_count integer not null default 0,
    max_retries integer not null default 3,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    completed_at timestamptz,
    idempotency_key varchar(100),
    primary key (id, created_at),
    constraint jobs_status_check check (
        status in (
            'queued', 'processing', 'script_ready', 'continuity_checked',
            'preview_ready', 'final_ready', 'failed', 'cancelled'
        )
    ),
    constraint jobs_stage_check check (
        stage in (
            'pending', 'script_expansion', 'continuity_validation',
            'video_generation', 'upload', 'finalization', 'completed', 'error'
        )
    )
) partition by range (created_at);

create index idx_jobs_scene_id on public.jobs (scene_id);
create index idx_jobs_user_id on public.jobs (user_id);
create index idx_jobs_status on public.jobs (status) where status not in ('final_ready', 'failed', 'cancelled');
create index idx_jobs_created_at on public.jobs (created_at desc);
