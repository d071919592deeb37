create table community.reconciliations (
    id bigint generated always as identity primary key,
    platform text not null,
    run_id text,
    mode text not null check (mode in ('report', 'apply')),
    newest_correction bigint,
    entities bigint,
    entities_off bigint,
    drift_total bigint,
    truth_total bigint,
    corrected bigint,
    refused text,
    reconciled_at timestamptz not null default now()
);

comment on table community.reconciliations is
    'Every comparison of the cached counters with the truth, whether or not it corrected anything.';
comment on column community.reconciliations.id is 'Number of this comparison.';
comment on column community.reconciliations.platform is 'Platform, such as bazaar.';
comment on column community.reconciliations.run_id is 'Run that compared.';
comment on column community.reconciliations.mode is 'report (compare only) or apply (correct the drift).';
comment on column community.reconciliations.newest_correction is
    'Newest ledger id in the snapshot; null when the ledger was empty.';
comment on column community.reconciliations.entities is 'Entities compared.';
comment on column community.reconciliations.entities_off is 'Entities with a counter that differs from the truth.';
comment on column community.reconciliations.drift_total is 'Sum of the absolute drift of all counters.';
comment on column community.reconciliations.truth_total is 'Sum of the true values of all counters.';
comment on column community.reconciliations.corrected is 'Counters corrected.';
comment on column community.reconciliations.refused is
    'Why nothing was corrected although mode is apply; null when it was not refused.';
comment on column community.reconciliations.reconciled_at is 'When the comparison was written down.';
