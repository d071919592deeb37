create table community.counter_corrections (
    id bigint generated always as identity primary key,
    platform text not null,
    run_id text,
    table_name text not null,
    entity_id text not null,
    counter text not null,
    before bigint not null,
    applied bigint not null,
    drift bigint not null,
    corrected_at timestamptz not null default now()
);

create index counter_corrections_entity_idx on community.counter_corrections (table_name, entity_id);

comment on table community.counter_corrections is
    'Ledger of every correction of a cached counter; the newest id is the fence between two reconciles.';
comment on column community.counter_corrections.id is 'Ledger number, in the order of writing.';
comment on column community.counter_corrections.platform is 'Platform, such as bazaar.';
comment on column community.counter_corrections.run_id is 'Run that corrected the counter.';
comment on column community.counter_corrections.table_name is 'Logical name of the table with the counter.';
comment on column community.counter_corrections.entity_id is 'Key of the corrected row, as text.';
comment on column community.counter_corrections.counter is 'Corrected column, by its logical name.';
comment on column community.counter_corrections.before is 'Cached value just before the correction.';
comment on column community.counter_corrections.applied is
    'What was added; differs from the drift only where the counter would have become negative.';
comment on column community.counter_corrections.drift is
    'Truth minus cached value, both from one snapshot of the source.';
comment on column community.counter_corrections.corrected_at is 'When the correcting transaction began.';
