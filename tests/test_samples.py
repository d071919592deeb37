"""What all samples share: how they are found and asked for, and the parts that each is drawn with."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from community_pipelines import samples
from community_pipelines.commands.sample import DAYS
from community_pipelines.embedded.postgres import stop
from community_pipelines.platforms.registry import PLATFORMS
from community_pipelines.platforms.registry import platform as declared
from community_pipelines.samples.calendar import DAY, HOUR, NEVER, SECOND, make_calendar
from community_pipelines.samples.chance import NONE, dice, new_ids
from community_pipelines.samples.jobs import End, Stage, run_through
from community_pipelines.samples.people import belongings, sign_up
from community_pipelines.samples.spec import SampleError, sample_of
from community_pipelines.samples.things import Things, additions
from community_pipelines.samples.visits import Toggles, arrive, once_each
from community_pipelines.samples.words import say
from community_pipelines.samples.writing import state_at
from tests.community import community

# What a platform's own part of the samples may have, beside its words, patterns and SQL.
MOST_LINES = 800
TABLES = {name: {table.name for table in declared(name).tables} for name in PLATFORMS}


def test_a_platform_without_a_folder_has_no_sample() -> None:
    assert sample_of("demo") is None


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platforms_own_part_of_the_samples_stays_small(platform: str) -> None:
    folder = Path(samples.__file__).parent / platform
    lines = {
        path.relative_to(folder).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in folder.rglob("*.py")
    }
    assert 0 < sum(lines.values()) <= MOST_LINES, f"what others need, too, belongs into the core: {lines}"


@pytest.mark.parametrize("platform", TABLES)
def test_every_sample_fills_a_declared_table_last_and_asks_for_something(platform: str) -> None:
    sample = sample_of(platform)
    assert sample is not None
    assert sample.filled_last in TABLES[platform]
    assert sample.options
    assert set(sample.counted.values()) <= set(sample.tables)


def test_the_command_asks_for_what_samples_declare_with_their_defaults() -> None:
    said = " ".join(community("sample", "--help").output.split())
    for platform in TABLES:
        sample = sample_of(platform)
        assert sample is not None
        for option in sample.options:
            shown = f"--{option.name.replace('_', '-')} INTEGER {option.metadata['help']} [default: {option.default}]"
            assert shown in said
    assert f"--days INTEGER How many closed days. [default: {DAYS}]" in said


def test_an_option_that_several_samples_ask_for_means_the_same_to_all() -> None:
    said: dict[str, set[object]] = {"days": {"the command's own"}}
    for platform in TABLES:
        sample = sample_of(platform)
        for option in sample.options if sample else ():
            said.setdefault(option.name, set()).add((option.default, option.metadata["help"]))
    assert {name: values for name, values in said.items() if len(values) > 1} == {}


@pytest.mark.parametrize("platform", TABLES)
def test_a_size_below_the_least_is_refused_by_its_name(platform: str) -> None:
    sample = sample_of(platform)
    assert sample is not None
    for name in (option.name for option in sample.options):
        with pytest.raises(SampleError, match=f"the sample's {name} must be [0-9]+ or more, and is 0"):
            sample.size(**{name: 0})


def test_a_platform_without_a_sample_is_said_once_and_holds_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path))
    # Each platform of this project has a sample.
    monkeypatch.setattr(
        "community_pipelines.samples.spec.find_spec",
        lambda name: None if name.endswith(".stories") else find_spec(name),
    )
    try:
        loaded = community("sample", "--templates", 4, "--users", 10, "--events-per-day", 20, "--days", 2)
        assert loaded.exit_code == 0, loaded.output
        assert loaded.output.count("stories") == 1
        assert "stories: applied" in loaded.output
        assert "; it has no sample to load" in loaded.output
        assert "sample gallery: 4 templates, 10 users, " in loaded.output
        assert community("sample", "--scenes", 5).exit_code == 2
    finally:
        stop(tmp_path)


def test_words_in_braces_are_said_in_turn_also_in_small_letters() -> None:
    titles = {say(dice(1, "titles", number), "stories", "title") for number in range(50)}
    assert len(titles) > 40
    assert all(title.startswith("The ") and "{" not in title for title in titles)
    sentences = [say(dice(1, "sentences", number), "stories", "sentence") for number in range(50)]
    assert not [text for text in sentences if "{" in text]
    assert any(" lantern" in text or " key" in text or " map" in text for text in sentences)
    assert not [text for text in sentences if " Lantern" in text or " Key" in text]


def test_a_state_is_the_last_one_that_had_begun() -> None:
    said = [state_at(now, "new", (10, "open"), (20, "done"), (NEVER, "gone")) for now in (9, 10, 19, 20, 99)]
    assert said == ["new", "open", "open", "done", "done"]


STAGES = (Stage("first", 0.5, "begun", 10, 5), Stage("second", 0.5, "going", 60, 5))
ENDS: dict[End, str] = {"finishes": "", "fails": "", "is cancelled": "", "hangs": ""}


@pytest.mark.parametrize("end", ENDS)
def test_a_job_ends_as_it_shall(end: End) -> None:
    errors = {"first": ["LOST"], "second": ["LOST", "REFUSED"]}
    runs = [run_through(dice(1, "job", number), STAGES, 1_000, end, errors, ["REFUSED"]) for number in range(300)]
    assert {run.ended == NEVER for run in runs} == {end == "hangs"}
    assert {run.error is None for run in runs} == {end != "fails"}
    assert {run.retries for run in runs if run.error == "REFUSED"} <= {0}
    assert {run.retries for run in runs if run.error == "LOST"} <= {3}
    assert {run.started == NEVER for run in runs} == ({True, False} if end == "is cancelled" else {False})
    lengths = {"finishes": {2}, "is cancelled": {0, 1, 2}}.get(end, {1, 2})
    assert {len(run.stages) for run in runs} == lengths


def test_whoever_signed_up_late_in_the_last_evening_has_made_something_before_midnight() -> None:
    calendar = make_calendar(datetime(2026, 3, 5, tzinfo=UTC), 4)
    people = sign_up(dice(1, "people"), calendar, 2_000, 0.1, today=False)
    assert people.created.max() > calendar.now - HOUR
    made = belongings(dice(1, "projects"), people, 0.4, calendar.now)
    assert made.created.max() < calendar.now
    assert (made.created >= people.created[made.owner]).all()


def test_few_rows_are_late_and_none_arrives_after_now() -> None:
    rng, end, now = dice(1, "late"), 24 * HOUR, 50 * HOUR
    times = np.sort(rng.integers(0, end, 100_000))
    arrival = arrive(rng, times, end, now, 0.01)
    assert (arrival >= times).all()
    late = arrival >= end
    assert 0 < late.mean() < 0.01
    assert arrival.max() <= now
    assert np.median(arrival - times) < 10 * SECOND
    assert not (arrive(rng, times, end, end - 1, 0.01) >= end).any()


def test_nobody_does_to_a_thing_twice_what_is_done_once_and_some_take_it_back() -> None:
    rng, count = dice(1, "likes"), 5_000
    user, thing = rng.integers(0, 50, count), rng.integers(-1, 40, count)
    chosen, back = once_each(rng, user, thing, np.arange(count), 1_000, 0.1, 2**60)
    assert len(chosen) == len(set(zip(user[chosen].tolist(), thing[chosen].tolist(), strict=True))) == 1_000
    assert NONE not in thing[chosen]
    assert 0.05 < back.mean() < 0.15
    assert not once_each(rng, user, thing, np.arange(count), 1_000, 0.1, 0)[1].any()


def test_people_add_to_what_is_there_and_open_and_nobody_to_what_nobody_likes() -> None:
    calendar, count = make_calendar(datetime(2026, 3, 4, 15, 30, tzinfo=UTC), 10), 120
    people = sign_up(dice(1, "people"), calendar, 100, 0.5)
    created = calendar.moments(dice(1, "things"), count, quiet=9 * HOUR)
    assert len(created) == count
    assert calendar.opening + 9 * HOUR <= created.min() < calendar.opening + 10 * HOUR
    place, none = np.arange(count), np.zeros(count, dtype=np.bool_)
    maker, closed = people.someone(dice(1, "makers"), created), np.where(place % 3 == 0, created + DAY, NEVER)
    things = Things(
        new_ids(dice(1, "ids"), count), place, maker, created, created, none, closed, [""] * count, (place != 1) * 1.0
    )
    for at_once in (0.0, 1.0):
        thing, user, time = additions(dice(1, "additions"), calendar, people, things, 500, at_once)
        assert 400 < len(thing) <= 500
        assert (time >= created[thing]).all()
        assert (time < closed[thing]).all()
        assert (people.created[user] <= time).all()
        by_makers = (user == maker[thing]) & (time < created[thing] + HOUR)
        assert set(thing[by_makers].tolist()) == ({*range(count)} - {1} if at_once else set())
        assert 1 not in thing


def test_what_is_held_is_what_was_said_last() -> None:
    toggles = Toggles()
    toggles.follow(np.array([7, 7, 8]), np.array([2, 1, 1]), np.array([False, True, True]))
    assert (toggles.held.tolist(), toggles.let_go.tolist()) == ([8], [7])
    toggles.follow(np.array([7]), np.array([3]), np.array([True]))
    assert (toggles.held.tolist(), toggles.let_go.tolist()) == ([7, 8], [])
