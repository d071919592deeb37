"""Dice, and what is drawn with them: ids, choices by weight, popularity, what can be met at a moment.

Nothing here knows a platform, a table or a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar
from uuid import UUID
from zlib import crc32

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
T = TypeVar("T")

NONE = -1


def dice(seed: int, part: str, *more: int) -> np.random.Generator:
    """Dice of their own for each part of a sample."""
    return np.random.default_rng([seed, crc32(part.encode()), *more])


def random_ids(rng: np.random.Generator, count: int) -> Bytes:
    """That many random UUIDs (version 4), 16 bytes each."""
    ids = np.frombuffer(rng.bytes(16 * count), dtype=np.uint8).reshape(-1, 16).copy()
    ids[:, 6] = ids[:, 6] & 0x0F | 0x40
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    return ids


def new_ids(rng: np.random.Generator, count: int) -> list[UUID]:
    """As `random_ids`, one by one."""
    drawn = random_ids(rng, count).tobytes()
    return [UUID(bytes=drawn[at : at + 16]) for at in range(0, len(drawn), 16)]


def endless_ids(rng: np.random.Generator) -> Iterator[UUID]:
    """As many as somebody asks for; drawn many at once, as one by one takes long."""
    while True:
        yield from new_ids(rng, 1_000)


def one_of(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, each as likely as the other."""
    # Much faster than an integer.
    return options[int(rng.random() * len(options))]


def some_of(rng: np.random.Generator, options: Sequence[T], least: int, most: int) -> list[T]:
    """Some of the options, in any order, none of them twice."""
    chosen = rng.permutation(len(options))[: int(rng.integers(least, most + 1))]
    return [options[position] for position in chosen]


def any_of(rng: np.random.Generator, options: Sequence[T], count: int) -> list[T]:
    """That many of the options, each as likely as the other."""
    return [options[position] for position in rng.integers(0, len(options), count).tolist()]


def pick(rng: np.random.Generator, weights: Floats, count: int) -> Ints:
    """That many positions, each as likely as its weight."""
    return place_of(weights, rng.random(count))


def place_of(weights: Floats, draw: Floats) -> Ints:
    """The position that each number in [0, 1) falls on when the weights lie side by side."""
    passed = np.cumsum(weights)
    # The last one is never reached from within, but rounding may get there.
    chosen: Ints = np.searchsorted(passed[:-1], draw * passed[-1], side="right")
    return chosen


def few(rng: np.random.Generator, expected: float, among: Ints, least: int = 0) -> Ints:
    """Some of the positions, none of them twice: about as many as expected, but `least`."""
    count = max(int(rng.poisson(expected)), least)
    return rng.choice(among, min(count, len(among)), replace=False)


def popularity(rng: np.random.Generator, count: int, power: float = 0.9) -> Floats:
    """How much each of some things is liked, by a power law, in any order."""
    liked: Floats = np.power(rng.permutation(count) + 6.0, -power)
    return liked


def busyness(rng: np.random.Generator, count: int, power: float = 1.3) -> Floats:
    """How often each of some people comes: most now and then, a few all day."""
    often: Floats = np.minimum(rng.pareto(power, count) + 0.15, 60)
    return often


def novelty(age: Floats, begin: float, end: float, days: float) -> Floats:
    """How much more something is looked at that is so many days old; 0 before it is there."""
    new: Floats = np.where(age > 0, end + (begin - end) * np.exp(-np.maximum(age - 1, 0) / days), 0)
    return new


def met(rng: np.random.Generator, times: Ints, created: Ints, weights: Floats, closed: Ints | None = None) -> Ints:
    """For each time a position of what is there by then and not closed yet, as likely as its weight; NONE without any.

    `created` ascends.
    """
    found = np.full(len(times), NONE)
    passed = np.cumsum(weights)
    missing = np.arange(len(times))
    # Who hits something closed looks for something else.
    for _ in range(8):
        there = np.searchsorted(created, times[missing], side="right")
        known = np.where(there > 0, passed[np.maximum(there, 1) - 1], 0)
        chosen = np.searchsorted(passed, rng.random(len(missing)) * known, side="right")
        fits = known > 0
        if closed is not None:
            fits &= closed[np.minimum(chosen, len(closed) - 1)] > times[missing]
        found[missing[fits]] = chosen[fits]
        missing = missing[~fits]
        if not len(missing):
            break
    return found
