"""What a sample declares, and how generic code finds it by the platform's name. Light: the command line loads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from community_pipelines.errors import ExplainedError

if TYPE_CHECKING:
    from community_pipelines.samples.loading import Work


class SampleError(ExplainedError):
    """The sample cannot be made or loaded; the message says why and what to do."""


@dataclass(frozen=True)
class Size:
    """How large a sample is; a platform adds its numbers. The same seed gives the same rows."""

    seed: int = 42

    def __post_init__(self) -> None:
        for one in fields(self):
            value, least = getattr(self, one.name), one.metadata.get("least", 0)
            if value < least:
                raise SampleError(f"the sample's {one.name} must be {least} or more, and is {value}")


def number(default: int, least: int = 1) -> Any:
    """A number of a size."""
    return field(default=default, metadata={"least": least})


def option(default: int, text: str, least: int = 1) -> Any:
    """A number of a size that is asked for by `community sample`, with its text there."""
    return field(default=default, metadata={"least": least, "help": text})


@dataclass(frozen=True)
class Sample:
    """One platform's sample.

    `title` is for people. `tables` are all tables that are filled (`schema.table` outside of public), which must be
    empty before. `filled_last` is the logical name of the one whose rows say that nothing is left to do. `counted` are
    the things that the report counts, each with its table. `fill` writes it all.
    """

    title: str
    size: type[Size]
    tables: tuple[str, ...]
    filled_last: str
    counted: Mapping[str, str]
    fill: Callable[[Work], None]

    @property
    def options(self) -> tuple[Field[Any], ...]:
        """The numbers of its size that are asked for."""
        return tuple(one for one in fields(self.size) if "help" in one.metadata)


def sample_of(platform: str) -> Sample | None:
    """The sample of the platform of that name; None where it has none."""
    folder = f"{__package__}.{platform}"
    if find_spec(folder) is None:
        return None
    found: Sample = import_module(f"{folder}.sample").SAMPLE
    return found
