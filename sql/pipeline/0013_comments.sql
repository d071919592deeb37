-- What was made once for each platform is described once for all.
comment on column community.publications.platform is 'Platform, such as bazaar.';
comment on column community.withheld_days.platform is 'Platform, such as bazaar.';
comment on column community.counter_corrections.platform is 'Platform, such as bazaar.';
comment on column community.reconciliations.platform is 'Platform, such as bazaar.';
comment on column community.deletions_seen.platform is 'Platform, such as bazaar.';
comment on column community.left_out_entities.platform is 'Platform, such as bazaar.';
comment on column community.migrations.folder is 'Folder of the file, such as bazaar/app or sql/pipeline.';
