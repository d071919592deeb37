create table community.template_counters_daily (
    template_id uuid not null,
    day date not null,
    views_change bigint not null,
    favorites_change bigint not null,
    uses_change bigint not null,
    views_total bigint not null,
    favorites_total bigint not null,
    uses_total bigint not null,
    window_complete boolean not null,
    primary key (template_id, day)
);

create index template_counters_daily_day_idx on community.template_counters_daily (day);

comment on table community.template_counters_daily is
    'How a template''s counters changed on a day, and what they were at its end; only days with a change.';
comment on column community.template_counters_daily.template_id is 'Template.';
comment on column community.template_counters_daily.day is 'Day, UTC.';
comment on column community.template_counters_daily.views_change is 'Views on this day.';
comment on column community.template_counters_daily.favorites_change is
    'Change of the number of users whose last event says favorite.';
comment on column community.template_counters_daily.uses_change is 'Uses on this day.';
comment on column community.template_counters_daily.views_total is 'All views up to the end of the day.';
comment on column community.template_counters_daily.favorites_total is
    'Users whose last event up to the end of the day says favorite.';
comment on column community.template_counters_daily.uses_total is 'All uses up to the end of the day.';
comment on column community.template_counters_daily.window_complete is
    'False when a day that these numbers read was withheld and its last accepted state was used.';
