create table community.left_out_entities (
    platform text not null,
    table_name text not null,
    entity_id text not null,
    left_out_at timestamptz not null default now(),
    primary key (platform, table_name, entity_id)
);

comment on table community.left_out_entities is
    'Entities that are gone from the app and whose rows are left out of a published table; with the entity, the rows come back.';
comment on column community.left_out_entities.platform is 'Platform, such as bazaar.';
comment on column community.left_out_entities.table_name is 'Logical name of the published table.';
comment on column community.left_out_entities.entity_id is 'Id of the entity, as text.';
comment on column community.left_out_entities.left_out_at is 'When its rows were left out first.';
