-- Seed 002: the parts of a scene, in their order; duration is in seconds, file_size in bytes. One partition per
-- month, all kept. Triggers of later files keep scene_id and job_id.
create table public.segments (
    id uuid not null default gen_random_uuid(),
    scene_id uuid not null,
    user_id uuid not null,
    job_id uuid not null,
    sequence integer not null,
    input_text text not null,
    expanded_script text not null,
    video_url varchar(500) not null,
    hls_playlist_url varchar(500),
    thumbnail_url varchar(500),
    duration integer not null,
    resolution varchar(20),
    file_size bigint,
    bible_version integer not null,
    status varchar(20) not null default 'active',
    created_at timestamptz not null default now(),
    primary key (id, created_at),
    constraint segments_status_check check (status in ('active', 'hidden', 'removed'))
) partition by range (created_at);

create index idx_segments_scene_id on public.segments (scene_id);
create index idx_segments_user_id on public.segments (user_id);
create index idx_segments_scene_sequence on public.segments (scene_id, sequence);
create index idx_segments_created_at on public.segments (created_at desc);
