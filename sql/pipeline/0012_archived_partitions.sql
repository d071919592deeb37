create table community.archived_partitions (
    platform text not null,
    table_name text not null,
    partition_name text not null,
    first_day date not null,
    last_day date not null check (last_day >= first_day),
    rows bigint not null check (rows >= 0),
    content_hash text not null,
    file text not null,
    archived_at timestamptz not null default now(),
    detach_began_at timestamptz,
    detached_at timestamptz,
    dropped_at timestamptz,
    primary key (platform, table_name, partition_name)
);

create index archived_partitions_days_idx on community.archived_partitions (platform, table_name, first_day);

comment on table community.archived_partitions is
    'Old partitions that were copied into the lake, and how far taking them out of their table has come.';
comment on column community.archived_partitions.platform is 'Platform.';
comment on column community.archived_partitions.table_name is 'Logical name of the partitioned table.';
comment on column community.archived_partitions.partition_name is
    'Name of the partition, in the schema of its table.';
comment on column community.archived_partitions.first_day is 'First day that it holds, UTC.';
comment on column community.archived_partitions.last_day is 'Last day that it holds, UTC.';
comment on column community.archived_partitions.rows is 'Rows in the file, the same as in the partition.';
comment on column community.archived_partitions.content_hash is
    'Order-independent hash of the rows, computed by PostgreSQL: of the partition, and of the file read back.';
comment on column community.archived_partitions.file is 'The Parquet file, from the lake''s folder.';
comment on column community.archived_partitions.archived_at is 'When the file was verified.';
comment on column community.archived_partitions.detach_began_at is
    'When its rows were last found to be the file''s and detaching began; from then on its days are pinned.';
comment on column community.archived_partitions.detached_at is
    'When it was out of its table and its rows were found to be the file''s once more; null until then.';
comment on column community.archived_partitions.dropped_at is 'When it was dropped, or found to be gone.';
