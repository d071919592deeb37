create table community.template_versions (
    template_id uuid primary key,
    project_key text not null,
    version integer not null check (version > 0),
    content_hash text not null,
    owner_user_id text,
    scenes integer not null,
    bytes bigint not null,
    findings jsonb not null default '[]'::jsonb,
    run_id text,
    created_at timestamptz not null default now(),
    disabled_reason text check (disabled_reason in ('superseded', 'moderated')),
    disabled_at timestamptz,
    unique (project_key, content_hash),
    unique (project_key, version)
);

create index template_versions_owner_idx on community.template_versions (owner_user_id, created_at);

comment on table community.template_versions is
    'Every template that was made from a project: one row per version, never deleted.';
comment on column community.template_versions.template_id is 'The template; the app may have deleted it since.';
comment on column community.template_versions.project_key is
    'Id of the project; for an export without one its owner and title.';
comment on column community.template_versions.version is 'Number of this version of the project, from 1.';
comment on column community.template_versions.content_hash is
    'SHA-256 over the hashes and durations of the scenes in order: the same content is published once.';
comment on column community.template_versions.owner_user_id is 'Owner of the project when it was published.';
comment on column community.template_versions.scenes is 'How many scenes were copied.';
comment on column community.template_versions.bytes is 'UTF-8 bytes of all code that was copied.';
comment on column community.template_versions.findings is 'Warnings that were found when it was published.';
comment on column community.template_versions.run_id is 'Run that published it.';
comment on column community.template_versions.created_at is 'When it was published.';
comment on column community.template_versions.disabled_reason is
    'Why the template is disabled: superseded by a later version, or moderated; null while it is not known to be.';
comment on column community.template_versions.disabled_at is 'When it was disabled, or seen to be.';
