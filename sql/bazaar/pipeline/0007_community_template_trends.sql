create table community.community_template_trends (
    template_id uuid not null,
    day date not null,
    views_7d bigint not null,
    favorites_7d bigint not null,
    uses_7d bigint not null,
    views_30d bigint not null,
    favorites_30d bigint not null,
    uses_30d bigint not null,
    conversion_7d double precision,
    conversion_30d double precision,
    views_change_7d double precision,
    views_change_30d double precision,
    favorites_change_7d double precision,
    favorites_change_30d double precision,
    uses_change_7d double precision,
    uses_change_30d double precision,
    rank_7d bigint,
    rank_30d bigint,
    window_complete boolean not null,
    primary key (template_id, day)
);

create index community_template_trends_day_idx on community.community_template_trends (day);

comment on table community.community_template_trends is
    'A template''s last 7 and 30 days, seen from the end of a day.';
comment on column community.community_template_trends.template_id is 'Template.';
comment on column community.community_template_trends.day is 'Last day of the windows, UTC.';
comment on column community.community_template_trends.views_7d is 'Views in 7 days.';
comment on column community.community_template_trends.favorites_7d is 'Favorite events in 7 days.';
comment on column community.community_template_trends.uses_7d is 'Uses in 7 days.';
comment on column community.community_template_trends.views_30d is 'Views in 30 days.';
comment on column community.community_template_trends.favorites_30d is 'Favorite events in 30 days.';
comment on column community.community_template_trends.uses_30d is 'Uses in 30 days.';
comment on column community.community_template_trends.conversion_7d is
    'Uses per view in 7 days; null without views.';
comment on column community.community_template_trends.conversion_30d is
    'Uses per view in 30 days; null without views.';
comment on column community.community_template_trends.views_change_7d is
    'Views in 7 days over those of the 7 days before, minus 1; null when there were none before.';
comment on column community.community_template_trends.views_change_30d is
    'Views in 30 days over those of the 30 days before, minus 1; null when there were none before.';
comment on column community.community_template_trends.favorites_change_7d is
    'Favorite events in 7 days over those of the 7 days before, minus 1; null when there were none before.';
comment on column community.community_template_trends.favorites_change_30d is
    'Favorite events in 30 days over those of the 30 days before, minus 1; null when there were none before.';
comment on column community.community_template_trends.uses_change_7d is
    'Uses in 7 days over those of the 7 days before, minus 1; null when there were none before.';
comment on column community.community_template_trends.uses_change_30d is
    'Uses in 30 days over those of the 30 days before, minus 1; null when there were none before.';
comment on column community.community_template_trends.rank_7d is
    'Rank by views in 7 days among active public templates, 1 is first; null for all others.';
comment on column community.community_template_trends.rank_30d is
    'Rank by views in 30 days among active public templates, 1 is first; null for all others.';
comment on column community.community_template_trends.window_complete is
    'False when a day that these numbers read was withheld and its last accepted state was used.';
