create table community.withheld_days (
    id bigint generated always as identity primary key,
    platform text not null,
    asset text not null,
    day date not null,
    run_id text,
    content_hash text,
    source_fingerprint text,
    failures jsonb not null,
    releasable boolean not null,
    withheld_at timestamptz not null default now(),
    released_at timestamptz,
    released_by text,
    release_reason text,
    resolved_at timestamptz
);

create unique index withheld_days_open_idx on community.withheld_days (platform, asset, day)
    where resolved_at is null;

comment on table community.withheld_days is
    'Days that an error-level check kept from being published; at most one open row per asset and day.';
comment on column community.withheld_days.id is 'Number of this withholding.';
comment on column community.withheld_days.platform is 'Platform, such as bazaar.';
comment on column community.withheld_days.asset is 'Asset whose check failed.';
comment on column community.withheld_days.day is 'Withheld day, UTC.';
comment on column community.withheld_days.run_id is 'Run that withheld the day.';
comment on column community.withheld_days.content_hash is
    'Hash of the rejected rows; a release holds for exactly this content.';
comment on column community.withheld_days.source_fingerprint is
    'Fingerprint of the source day that the rejected rows were read from.';
comment on column community.withheld_days.failures is 'Failed expectations with their observed values.';
comment on column community.withheld_days.releasable is
    'Whether a person may release the day; false when the result breaks its contract.';
comment on column community.withheld_days.withheld_at is 'When the day was withheld.';
comment on column community.withheld_days.released_at is 'When a person released the day; null until then.';
comment on column community.withheld_days.released_by is 'Who released the day.';
comment on column community.withheld_days.release_reason is 'Reason given with the release.';
comment on column community.withheld_days.resolved_at is
    'When the day went out after all; null while the withholding is open.';
