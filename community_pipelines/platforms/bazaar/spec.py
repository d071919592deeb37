"""What the gallery declares. Names, columns and promises come from seed 001, and from 000 where 001 is silent."""

from __future__ import annotations

from community_pipelines.platforms.spec import (
    Agreement,
    Choice,
    Column,
    Counter,
    CounterTable,
    Dimension,
    Option,
    Platform,
    RowRule,
    Snapshots,
    Stream,
    Table,
)

EVENT_TYPES = ("view", "favorite", "unfavorite", "use", "mix", "prompt", "click")
EVENT_SOURCES = ("in_app_panel", "community_site", "direct")
PREVIEW_FRAME = 15
_TYPES_SQL = ", ".join(f"'{name}'" for name in EVENT_TYPES)
# Comparisons one by one are faster than `not in` over ten million rows.
_NO_KNOWN_SOURCE = " and ".join(f"source <> '{name}'" for name in EVENT_SOURCES)

USERS = Table(
    "users",
    "public.bazaar-vid_user",
    "People with an account.",
    (Column("id", "text", "User id, as the app's sign-in gives it."),),
)
TEMPLATES = Table(
    "community_templates",
    "public.community_templates",
    "Public templates, one row each, with cached counters.",
    (
        Column("id", "uuid", "Template id."),
        Column("slug", "text", "Unique readable name in links."),
        Column("title", "text", "Title."),
        Column("status", "text", "active or disabled."),
        Column("visibility", "text", "public or unlisted."),
        Column("views_count", "bigint", "Cached number of views."),
        Column("favorites_count", "bigint", "Cached number of users who favorite the template."),
        Column("uses_count", "bigint", "Cached number of uses."),
    ),
)
FAVORITES = Table(
    "community_favorites",
    "public.community_favorites",
    "Which user favorites which template now.",
    (
        Column("user_id", "text", "The user."),
        Column("template_id", "uuid", "The template."),
    ),
)
EVENTS_TABLE = Table(
    "community_events",
    "public.community_events",
    "Everything that happened to templates; the source of truth.",
    (
        Column("id", "uuid", "Event id."),
        Column("template_id", "uuid", "The template that it happened to."),
        Column("user_id", "text", "Signed-in user; null for an anonymous visitor. No foreign key."),
        Column("event_type", "text", f"One of {', '.join(EVENT_TYPES)}."),
        Column("source", "text", f"Where it came from: {', '.join(EVENT_SOURCES)}."),
        Column("project_id", "uuid", "The user's project that the template was used in."),
        Column("scene_count", "integer", "How many scenes were taken over."),
        Column("referrer", "text", "HTTP referrer."),
        Column("user_agent", "text", "HTTP user agent."),
        Column("created_at", "timestamptz", "When it happened; decides its UTC day."),
    ),
)
METRICS_TABLE = Table(
    "community_metrics_daily",
    "public.community_metrics_daily",
    "Published daily counts of views, favorites and uses.",
    (
        Column("template_id", "uuid", "The template."),
        Column("day", "date", "UTC day."),
        Column("event_type", "text", "view, favorite or use."),
        Column("count", "bigint", "Events of that type on that day."),
    ),
)

# What template snapshots read and write; columns in camelCase are called so by the app's ORM.
PROJECTS = Table(
    "projects",
    "public.bazaar-vid_project",
    "People's projects, whose scenes may be published as templates.",
    (
        Column("id", "uuid", "Project id."),
        Column("userId", "text", "The user who owns it."),
        Column("title", "text", "Its title."),
        Column("updatedAt", "timestamptz", "When it was changed last."),
    ),
)
SCENES = Table(
    "scenes",
    "public.bazaar-vid_scene",
    "The scenes that projects are made of.",
    (
        Column("id", "uuid", "Scene id."),
        Column("projectId", "uuid", "The project."),
        Column("order", "integer", "Its place in the project."),
        Column("name", "text", "Its name."),
        Column("tsxCode", "text", "Its code."),
        Column("duration", "integer", "Its length in frames."),
        Column("updatedAt", "timestamptz", "When it was changed last."),
    ),
)
TEMPLATE_ROWS = Table(
    TEMPLATES.name,
    TEMPLATES.default,
    TEMPLATES.description,
    (
        Column("id", "uuid", "Template id."),
        Column("slug", "text", "Unique readable name in links."),
        Column("title", "text", "Title."),
        Column("description", "text", "Description, plain text; null when there is none."),
        Column("owner_user_id", "text", "The user whose project it was made from."),
        Column("source_project_id", "uuid", "The project that it was made from."),
        Column("supported_formats", "jsonb", "List of landscape, portrait and square."),
        Column("tags", "jsonb", "List of tags."),
        Column("category", "text", "Category."),
        Column("visibility", "text", "public or unlisted."),
        Column("status", "text", "active or disabled."),
        Column("updated_at", "timestamptz", "When the row was changed last."),
    ),
)
TEMPLATE_SCENES = Table(
    "community_template_scenes",
    "public.community_template_scenes",
    "Frozen copies of projects' scenes, numbered within their template.",
    (
        Column("id", "uuid", "Id of the copy."),
        Column("template_id", "uuid", "The template."),
        Column("scene_index", "integer", "Its place, from 0."),
        Column("title", "text", "The scene's name."),
        Column("tsx_code", "text", "The scene's code, byte for byte."),
        Column("duration", "integer", "Its length in frames."),
        Column(
            "preview_frame",
            "integer",
            f"The frame that is shown of it: the default of the app's column ({PREVIEW_FRAME} where it has none), or "
            "the last frame of a scene that ends before it.",
        ),
        Column("code_hash", "text", "SHA-256 of the code's UTF-8 bytes."),
        Column(
            "source_scene_id",
            "uuid",
            "The row of `scenes` that it was copied from; null for a scene of an export file.",
            optional=True,
        ),
    ),
)

COMMUNITY_EVENTS = Stream(
    table=EVENTS_TABLE,
    description="One UTC day of gallery events.",
    id="id",
    time="created_at",
    entity="template_id",
    quarantine=(
        RowRule("missing_id", "id is null", "the event has no id"),
        RowRule("missing_template", "template_id is null", "the event names no template"),
        RowRule(
            "unknown_event_type",
            f"event_type is null or event_type not in ({_TYPES_SQL})",
            f"the event type is not one of {', '.join(EVENT_TYPES)}",
            names="event_type",
        ),
    ),
    measures=(
        ("unknown_sources", f"count(*) filter (where {_NO_KNOWN_SOURCE})"),
        ("negative_scene_counts", "count(*) filter (where scene_count < 0)"),
        (
            "favorites_without_user",
            "count(*) filter (where user_id is null and event_type in ('favorite', 'unfavorite'))",
        ),
        ("unknown_users", "count(events.user_id) - count(users.id)"),
        ("anonymous_share", "coalesce((count(*) - count(user_id)) / count(*), 0)"),
        ("distinct_users", "approx_count_distinct(user_id)"),
    ),
    joins="left join users on users.id = events.user_id",
    states=("event_type",),
)

COUNTERS = CounterTable(
    table=TEMPLATES,
    key="id",
    counters=(
        Counter("views_count", "views_total", "all view events"),
        Counter(
            "favorites_count",
            "favorites_total",
            Choice(
                "favorites",
                (
                    Option(
                        "events",
                        "users whose last favorite or unfavorite event, by time then id, is a favorite",
                        "favorites_by_events",
                        explained=True,
                    ),
                    Option(
                        "rows",
                        "rows of community_favorites, of users and templates that exist",
                        "favorites_by_rows",
                    ),
                ),
            ),
        ),
        Counter("uses_count", "uses_total", "all use events"),
    ),
    truth="""
        with counted as (
            select {community_events.template_id} as key,
                count(*) filter (where {community_events.event_type} = 'view') as views_count,
                count(*) filter (where {community_events.event_type} = 'use') as uses_count
            from {community_events}
            where {community_events.event_type} in ('view', 'use')
                and {community_events.created_at} >= {since} and {community_events.created_at} < {until}
            group by {community_events.template_id}
        ),
        last_words as (
            select distinct on ({community_events.template_id}, {community_events.user_id})
                {community_events.template_id} as key,
                {community_events.event_type} as event_type
            from {community_events}
            where {community_events.event_type} in ('favorite', 'unfavorite')
                and {community_events.user_id} is not null
                and {community_events.created_at} >= {since} and {community_events.created_at} < {until}
            order by {community_events.template_id}, {community_events.user_id},
                {community_events.created_at} desc, {community_events.id} desc
        ),
        by_events as (
            select key, count(*) as favorites_by_events
            from last_words
            where event_type = 'favorite'
            group by key
        ),
        by_rows as (
            select favorites.{community_favorites.template_id} as key, count(*) as favorites_by_rows
            from {community_favorites} as favorites
            join {users} as users on users.{users.id} = favorites.{community_favorites.user_id}
            group by favorites.{community_favorites.template_id}
        )
        select key,
            coalesce(views_count, 0) as views_count,
            coalesce(favorites_by_events, 0) as favorites_by_events,
            coalesce(favorites_by_rows, 0) as favorites_by_rows,
            coalesce(uses_count, 0) as uses_count
        from counted full join by_events using (key) full join by_rows using (key)
    """,
    history_model="template_counters_daily",
    events=COMMUNITY_EVENTS,
    agreements=(
        Agreement(
            "favorites_agree",
            "users whose last event says favorite, against the rows of community_favorites (deleted users excepted)",
            """
            with last_words as (
                select distinct on (events.{community_events.template_id}, events.{community_events.user_id})
                    events.{community_events.template_id} as template_id,
                    events.{community_events.event_type} as event_type
                from {community_events} as events
                join {users} as users on users.{users.id} = events.{community_events.user_id}
                where events.{community_events.event_type} in ('favorite', 'unfavorite')
                    and events.{community_events.created_at} >= {since}
                    and events.{community_events.created_at} < {until}
                order by events.{community_events.template_id}, events.{community_events.user_id},
                    events.{community_events.created_at} desc, events.{community_events.id} desc
            ),
            by_events as (
                select template_id, count(*) as favorites
                from last_words
                where event_type = 'favorite'
                group by template_id
            ),
            by_rows as (
                select {community_favorites.template_id} as template_id, count(*) as favorites
                from {community_favorites}
                group by {community_favorites.template_id}
            )
            select template_id, coalesce(by_events.favorites, 0), coalesce(by_rows.favorites, 0)
            from by_events full join by_rows using (template_id)
            where coalesce(by_events.favorites, 0) <> coalesce(by_rows.favorites, 0)
            order by template_id
            """,
        ),
    ),
)

BAZAAR = Platform(
    name="bazaar",
    title="Gallery of video templates",
    description="Templates, their favorites and events; views, favorites and uses by day.",
    tables=(USERS, TEMPLATES, FAVORITES, EVENTS_TABLE, METRICS_TABLE),
    streams=(COMMUNITY_EVENTS,),
    dimensions=(
        Dimension(TEMPLATES, ("id", "slug", "title", "status", "visibility")),
        Dimension(USERS, ("id",)),
    ),
    counter_tables=(COUNTERS,),
    watched="community_events",
    snapshots=Snapshots(USERS, PROJECTS, SCENES, TEMPLATE_ROWS, TEMPLATE_SCENES, ("status", "updated_at")),
)
PLATFORM = BAZAAR
