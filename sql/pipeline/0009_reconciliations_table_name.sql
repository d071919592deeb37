alter table community.reconciliations add column table_name text;

comment on column community.reconciliations.table_name is
    'Logical name of the app''s table whose counters were compared; null in rows from before it was noted.';
