"""What the gallery's days must be like. Errors withhold a day, warnings report."""

from __future__ import annotations

from community_pipelines.quality.judge import Bound, none_of

RAW_COMMUNITY_EVENTS = (
    none_of("unknown_sources", "warning", "events from a source that is not known"),
    none_of("negative_scene_counts", "warning", "events with a negative scene count"),
    none_of("favorites_without_user", "warning", "favorites or unfavorites without a user: nobody's favorite"),
    none_of("unknown_users", "warning", "events of a user who is no user"),
    Bound("anonymous_share", "error", "share of anonymous events", 0, 1, unknown_passes=True),
    Bound("distinct_users", "warning", "distinct signed-in users", low=1),
)

METRICS_COMMUNITY_METRICS_DAILY = (Bound("negative_count", "error", "counts below zero", 0, 0),)

METRICS_COMMUNITY_TEMPLATE_ACTIVITY_DAILY = (
    Bound("negative_events", "error", "counts below zero", 0, 0),
    Bound("negative_signed_in_users", "error", "users below zero", 0, 0),
)

METRICS_COMMUNITY_TEMPLATE_TRENDS = (
    Bound("negative_views_7d", "error", "views below zero", 0, 0),
    Bound("negative_views_30d", "error", "views below zero", 0, 0),
)

COUNTERS_TEMPLATE_COUNTERS_DAILY = (
    Bound("negative_views_total", "error", "totals of views below zero", 0, 0),
    Bound("negative_favorites_total", "error", "totals of favorites below zero", 0, 0),
    Bound("negative_uses_total", "error", "totals of uses below zero", 0, 0),
)
