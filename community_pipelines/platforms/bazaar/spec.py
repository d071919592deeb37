"""What the gallery declares beside its tables and streams, which are in `sources.yml`. Names, columns and promises come
from seed 001, and from 000 where 001 is silent.
"""

from __future__ import annotations

from community_pipelines.platforms.declared import declared, sql_file
from community_pipelines.platforms.spec import Agreement, Choice, Counter, CounterTable, Option, Platform, Snapshots

# Where the app's column has no default.
PREVIEW_FRAME = 15

APP = declared("bazaar")

COUNTERS = CounterTable(
    table=APP.table("community_templates"),
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
    truth=sql_file("bazaar", "truth/community_templates"),
    history_model="template_counters_daily",
    events=APP.stream("community_events"),
    agreements=(
        Agreement(
            "favorites_agree",
            "users whose last event says favorite, against the rows of community_favorites (deleted users excepted)",
            sql_file("bazaar", "rules/favorites_agree"),
        ),
    ),
)

BAZAAR = Platform(
    name="bazaar",
    title="Gallery of video templates",
    description="Templates, their favorites and events; views, favorites and uses by day.",
    tables=APP.tables,
    streams=APP.streams,
    dimensions=APP.dimensions,
    counter_tables=(COUNTERS,),
    watched="community_events",
    snapshots=Snapshots(
        users=APP.others["bazaar_snapshots"]["users"],
        projects=APP.others["bazaar_snapshots"]["projects"],
        scenes=APP.others["bazaar_snapshots"]["scenes"],
        templates=APP.others["bazaar_snapshots"]["community_templates"],
        template_scenes=APP.others["bazaar_snapshots"]["community_template_scenes"],
        changes=("status", "updated_at"),
        preview_frame=PREVIEW_FRAME,
    ),
)
PLATFORM = BAZAAR
