alter table community.deletions_seen add column rule integer default 1;

comment on column community.deletions_seen.rule is
    'Rule that judged it: 2 looked for the lost ids on other days; 1 did not, so what it says is judged again.';
