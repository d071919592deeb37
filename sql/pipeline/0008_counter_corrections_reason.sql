alter table community.counter_corrections add column reason text;

comment on column community.counter_corrections.reason is
    'Why a counter was lowered that is only raised otherwise; null for all other corrections.';
