create table community.community_template_activity_daily (
    template_id uuid not null,
    day date not null,
    views bigint not null,
    favorites bigint not null,
    unfavorites bigint not null,
    uses bigint not null,
    mixes bigint not null,
    prompts bigint not null,
    clicks bigint not null,
    events bigint not null,
    signed_in_users bigint not null,
    anonymous_share double precision not null,
    in_app_panel_events bigint not null,
    community_site_events bigint not null,
    direct_events bigint not null,
    other_source_events bigint not null,
    primary key (template_id, day)
);

create index community_template_activity_daily_day_idx
    on community.community_template_activity_daily (day);

comment on table community.community_template_activity_daily is
    'What happened to a template on a day; only days with at least one event.';
comment on column community.community_template_activity_daily.template_id is 'Template.';
comment on column community.community_template_activity_daily.day is 'Day, UTC.';
comment on column community.community_template_activity_daily.views is 'Events of type view.';
comment on column community.community_template_activity_daily.favorites is 'Events of type favorite.';
comment on column community.community_template_activity_daily.unfavorites is 'Events of type unfavorite.';
comment on column community.community_template_activity_daily.uses is 'Events of type use.';
comment on column community.community_template_activity_daily.mixes is 'Events of type mix.';
comment on column community.community_template_activity_daily.prompts is 'Events of type prompt.';
comment on column community.community_template_activity_daily.clicks is 'Events of type click.';
comment on column community.community_template_activity_daily.events is 'Events of all types.';
comment on column community.community_template_activity_daily.signed_in_users is
    'Distinct users among the events that have one.';
comment on column community.community_template_activity_daily.anonymous_share is
    'Share of the events without a user, from 0 to 1.';
comment on column community.community_template_activity_daily.in_app_panel_events is
    'Events from the source in_app_panel.';
comment on column community.community_template_activity_daily.community_site_events is
    'Events from the source community_site.';
comment on column community.community_template_activity_daily.direct_events is
    'Events from the source direct.';
comment on column community.community_template_activity_daily.other_source_events is
    'Events from any other source, or from none.';
