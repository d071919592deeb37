-- What ingest cannot know of each template.
create temporary table sample_story (
    template_id uuid primary key,
    created_at timestamptz,
    updated_at timestamptz,
    status text,
    thumbnail text
) on commit drop
