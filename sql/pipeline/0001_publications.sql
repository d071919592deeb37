create table community.publications (
    platform text not null,
    table_name text not null,
    day date not null,
    content_hash text not null,
    rows bigint not null,
    left_out bigint not null default 0,
    left_out_why text,
    run_id text,
    published_at timestamptz not null default now(),
    primary key (platform, table_name, day)
);

comment on table community.publications is
    'What was last published for each table and day, written in the transaction that published it.';
comment on column community.publications.platform is 'Platform, such as bazaar.';
comment on column community.publications.table_name is 'Logical name of the published table.';
comment on column community.publications.day is 'Published day, UTC.';
comment on column community.publications.content_hash is
    'Hash of the day''s rows in any order; a day with the same hash is not written again.';
comment on column community.publications.rows is 'Rows written for this day.';
comment on column community.publications.left_out is 'Rows of the model that were not written.';
comment on column community.publications.left_out_why is 'Why rows were left out; null when none were.';
comment on column community.publications.run_id is 'Run that published the day.';
comment on column community.publications.published_at is 'When the publishing transaction began.';
