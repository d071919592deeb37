create table community.deletions_seen (
    platform text not null,
    stream text not null,
    day date not null,
    source_rows bigint not null,
    source_ids_xor bigint,
    seen_at timestamptz not null default now(),
    primary key (platform, stream, day)
);

comment on table community.deletions_seen is
    'State of source days that only lost rows: a deletion alone makes no day stale.';
comment on column community.deletions_seen.platform is 'Platform, such as bazaar.';
comment on column community.deletions_seen.stream is 'Stream whose source lost rows.';
comment on column community.deletions_seen.day is 'Day of the deleted rows, UTC.';
comment on column community.deletions_seen.source_rows is 'Rows that the source held for the day when last seen.';
comment on column community.deletions_seen.source_ids_xor is
    'Xor of the id hashes of those rows; null when none are left.';
comment on column community.deletions_seen.seen_at is 'When this state was seen.';
