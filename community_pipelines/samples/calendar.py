"""When things happen: the days of a sample, how busy hours, weekdays and days are, and moments among them.

Times are microseconds since 1970 in UTC. Not here: to whom and to what it happens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from community_pipelines.samples.chance import Floats, Ints
from community_pipelines.samples.spec import SampleError

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# Later than any sample ends.
NEVER = int(np.iinfo(np.int64).max)

# How busy a weekday is, from Monday on, where people work and where they rest.
WORK = (1.02, 1.07, 1.08, 1.05, 0.98, 0.87, 0.93)
LEISURE = (0.93, 0.92, 0.95, 0.97, 1.02, 1.12, 1.09)

# How busy an hour is (UTC): Europe's and America's afternoons overlap at 16 h, the quietest time is 4 h.
_HOURS = (
    0.62, 0.55, 0.48, 0.42, 0.38, 0.38, 0.45, 0.60, 0.78, 0.92, 1.02, 1.08,
    1.14, 1.24, 1.36, 1.45, 1.50, 1.50, 1.46, 1.44, 1.38, 1.22, 1.00, 0.78,
)  # fmt: skip
# At weekends mornings start late and evenings last longer.
_WEEKEND_HOURS = tuple(busy * (0.75 if 5 <= hour < 12 else 1.1) for hour, busy in enumerate(_HOURS))

# What a sudden fame comes to day by day: its share of a normal day's traffic, in parts of the peak.
_SPIKE_COURSE = (0.35, 1.0, 0.72, 0.46, 0.28, 0.15, 0.07)


@dataclass(frozen=True)
class Calendar:
    """The full days of a sample from the first one on, then today up to `now`; a year of preparation came before."""

    first_day: date
    days: int
    now: int
    week: tuple[float, ...] = WORK

    @property
    def last_day(self) -> date:
        """The last full day, which is yesterday."""
        return self.first_day + timedelta(days=self.days - 1)

    @property
    def year_from(self) -> date:
        """The first day of the month a year before the first day."""
        return self.first_day.replace(year=self.first_day.year - 1, day=1)

    @property
    def opening(self) -> int:
        """The beginning of the first day."""
        return microseconds(self.first_day)

    def start(self, index: int) -> int:
        """The beginning of a day; the index `days` is today."""
        return self.opening + index * DAY

    def weekday(self, index: int) -> int:
        """The weekday of a day; 0 is Monday."""
        return (self.first_day.weekday() + index) % 7

    def times(self, rng: np.random.Generator, index: int, count: int) -> Ints:
        """Moments of a day as people spread over it, in no order."""
        return self.start(index) + times_of_day(rng, count, self.weekday(index))

    def volumes(self, rng: np.random.Generator, per_day: float, growth: float, extra: Floats | None = None) -> Ints:
        """How much happens on each full day, and on today if it were over; the full days have `per_day` on average.

        It grows by that share around the mean. `extra` is what comes on top of each day, as a share of it.
        """
        busy = self._busy(rng, self.first_day, self.days + 1, growth)
        if extra is not None:
            busy = busy * (1 + extra)
        return _whole(busy * (self.days * per_day / busy[:-1].sum()))

    def moments(
        self, rng: np.random.Generator, count: int, growth: float = 0.3, today: bool = True, quiet: int = 0
    ) -> Ints:
        """That many moments from the first day to the end of today, or of the last full day, sorted.

        What would come in the first day's `quiet` time comes in the hour after it.
        """
        moments = self._spread(rng, self.first_day, self.days + today, count, growth)
        early = moments < self.opening + quiet
        moments[early] = self.opening + quiet + rng.integers(0, HOUR, int(early.sum()))
        return np.sort(moments)

    def moments_before(self, rng: np.random.Generator, count: int, growth: float = 0.5) -> Ints:
        """That many moments of the year before, sorted."""
        return self._spread(rng, self.year_from, (self.first_day - self.year_from).days, count, growth)

    def months(self, ahead: int) -> list[tuple[int, int]]:
        """Year and month of all its months, the year before included, and of so many after today's."""
        today = self.last_day + timedelta(days=1)
        first, last = (day.year * 12 + day.month - 1 for day in (self.year_from, today))
        return [(month // 12, month % 12 + 1) for month in range(first, last + ahead + 1)]

    def spikes(self, rng: np.random.Generator, created: Ints, appeal: Floats, until: Ints) -> Floats:
        """Who becomes famous for some days: day x thing, its share of a normal day's traffic.

        `created` and `until` say from when to when a thing can be met.
        """
        shares = np.zeros((self.days + 1, len(created)))
        for _ in range(max(2, round(self.days * 0.2))):
            first = int(rng.integers(0, max(1, self.days - 2)))
            # The very popular ones need no luck.
            there = (created < self.start(first)) & (until > self.start(first))
            there &= appeal < np.quantile(appeal, 0.98)
            peak = rng.uniform(0.03, 0.09)
            if there.any():
                thing = rng.choice(np.flatnonzero(there))
                course = np.array(_SPIKE_COURSE[: self.days + 1 - first])
                shares[first : first + len(course), thing] += peak * course * rng.uniform(0.85, 1.15, len(course))
        return shares

    def _busy(self, rng: np.random.Generator, first: date, days: int, growth: float) -> Floats:
        week = np.array(self.week)[(first.weekday() + np.arange(days)) % 7]
        busy: Floats = week * np.linspace(1 - growth, 1 + growth, days) * rng.lognormal(0, 0.04, days)
        return busy

    def _spread(self, rng: np.random.Generator, first: date, days: int, count: int, growth: float) -> Ints:
        busy = self._busy(rng, first, days, growth)
        parts = [
            microseconds(first) + index * DAY + times_of_day(rng, int(some), (first.weekday() + index) % 7)
            for index, some in enumerate(_whole(busy / busy.sum() * count))
        ]
        return np.sort(np.concatenate(parts))


def make_calendar(now: datetime, opening: date | int) -> Calendar:
    """The calendar that ends at `now` and opens on that day, or so many full days before. Raises SampleError."""
    if now.tzinfo is None:
        raise SampleError("the sample's `now` must have a time zone")
    now = now.astimezone(UTC)
    if isinstance(opening, int):
        if opening < 1:
            raise SampleError(f"the sample's days must be 1 or more, and are {opening}")
        opening = now.date() - timedelta(days=opening)
    days = (now.date() - opening).days
    if days < 1:
        raise SampleError(f"the sample's first day must be over before {now.date()}, and is {opening}")
    return Calendar(opening, days, (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def microseconds(day: date) -> int:
    """The beginning of a day."""
    return int(datetime.combine(day, time(), UTC).timestamp()) * SECOND


def times_of_day(rng: np.random.Generator, count: int, weekday: int) -> Ints:
    """Times since midnight as people spread over a day; `weekday` 0 is Monday."""
    hours = _WEEKEND_HOURS if weekday >= 5 else _HOURS
    minutes = np.arange(24 * 60 + 1)
    busy = np.interp(minutes / 60, np.arange(25), (*hours, hours[0]))
    passed = np.concatenate(([0.0], np.cumsum((busy[1:] + busy[:-1]) / 2)))
    times: Floats = np.interp(rng.random(count) * passed[-1], passed, minutes) * MINUTE
    return times.astype(np.int64)


def pause(rng: np.random.Generator, median: float, spread: float = 0.9) -> int:
    """A time that passes before something happens, mostly about the median, sometimes much longer."""
    return int(rng.lognormal(math.log(median), spread))


def pauses(rng: np.random.Generator, median: float, count: int, spread: float = 0.9) -> Ints:
    """That many of such times."""
    drawn: Floats = rng.lognormal(np.log(median), spread, count)
    return drawn.astype(np.int64)


def _whole(volumes: Floats) -> Ints:
    # Rounded on the running sum, so that they add up exactly.
    ends = np.round(np.cumsum(volumes)).astype(np.int64)
    return ends - np.concatenate(([0], ends[:-1]))
