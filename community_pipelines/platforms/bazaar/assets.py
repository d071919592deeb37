"""The gallery's flow, in the order the data flows."""

from __future__ import annotations

from community_pipelines.flow.counters import Counters
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.raw import Raw
from community_pipelines.platforms.bazaar import checks
from community_pipelines.platforms.bazaar.spec import (
    BAZAAR,
    COMMUNITY_EVENTS,
    COUNTERS,
    EVENTS_TABLE,
    FAVORITES,
    PROJECTS,
    SCENES,
    TEMPLATES,
    USERS,
)

# bazaar/source/community_events, bazaar/source/community_templates, … are the app's tables.
SOURCES = (EVENTS_TABLE, TEMPLATES, FAVORITES, USERS, PROJECTS, SCENES)

STEPS = (
    # bazaar/raw/community_events
    Raw(BAZAAR, COMMUNITY_EVENTS, checks.RAW_COMMUNITY_EVENTS),
    # bazaar/metrics/community_metrics_daily
    SqlModel(BAZAAR, "metrics", "community_metrics_daily", checks.METRICS_COMMUNITY_METRICS_DAILY),
    # bazaar/metrics/community_template_activity_daily
    SqlModel(BAZAAR, "metrics", "community_template_activity_daily", checks.METRICS_COMMUNITY_TEMPLATE_ACTIVITY_DAILY),
    # bazaar/metrics/community_template_trends
    SqlModel(BAZAAR, "metrics", "community_template_trends", checks.METRICS_COMMUNITY_TEMPLATE_TRENDS),
    # bazaar/counters/template_counters_daily
    SqlModel(BAZAAR, "counters", "template_counters_daily", checks.COUNTERS_TEMPLATE_COUNTERS_DAILY),
    # bazaar/counters/community_templates
    Counters(BAZAAR, COUNTERS),
)
