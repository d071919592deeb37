"""Short names for what the platforms declare in their files."""

from __future__ import annotations

from community_pipelines.flow.flows import flow
from community_pipelines.platforms.bazaar.spec import BAZAAR

GALLERY_STEPS = flow("bazaar").steps
STORY_STEPS = flow("stories").steps

COMMUNITY_EVENTS = BAZAAR.stream("community_events")
EVENTS_TABLE = BAZAAR.table("community_events")
TEMPLATES = BAZAAR.table("community_templates")
(EVENT_TYPES,) = (rule.accepted for rule in COMMUNITY_EVENTS.quarantine if rule.names == "event_type")
(EVENT_SOURCES,) = (test.argument("values") for test in COMMUNITY_EVENTS.data_tests if test.name == "unknown_sources")
