"""The one list of platforms. A platform is added by its name here and by its folders; nothing else names it.

Names are a folder of `platforms/`, `dbt_like_models/`, `sql/` and `samples/`, a section of `community.toml`, and the
first part of every asset's key.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from community_pipelines.platforms.spec import Platform

PLATFORMS = ("bazaar", "stories")


@cache
def platform(name: str) -> Platform:
    """What the platform of that name declares; KeyError when it is not in the list.

    Its `spec` is imported only now: who asks for one platform does not read the others.
    """
    if name not in PLATFORMS:
        raise KeyError(name)
    declared: Platform = import_module(f"community_pipelines.platforms.{name}.spec").PLATFORM
    return declared
