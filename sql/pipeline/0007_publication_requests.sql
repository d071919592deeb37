create table community.publication_requests (
    id bigint generated always as identity primary key,
    project_key text not null,
    options jsonb not null default '{}'::jsonb,
    requested_by text,
    requested_at timestamptz not null default now(),
    done_at timestamptz,
    status text check (status in ('created', 'unchanged', 'rejected')),
    detail jsonb
);

create index publication_requests_open_idx on community.publication_requests (id) where done_at is null;

comment on table community.publication_requests is
    'Projects that somebody flagged for publishing; the schedule takes those that are not done.';
comment on column community.publication_requests.id is 'Number of this request; requests are taken in this order.';
comment on column community.publication_requests.project_key is 'Id of the project.';
comment on column community.publication_requests.options is
    'What was wished for: title, description, tags, category, formats, visibility, scenes, supersede, after_moderation.';
comment on column community.publication_requests.requested_by is 'Who flagged it.';
comment on column community.publication_requests.requested_at is 'When it was flagged.';
comment on column community.publication_requests.done_at is 'When it was taken; null until then.';
comment on column community.publication_requests.status is 'What became of it: created, unchanged or rejected.';
comment on column community.publication_requests.detail is 'The template, and everything that was found.';
