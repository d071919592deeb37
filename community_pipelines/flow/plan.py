"""What is to be done: every day of every asset is done, stale, withheld or missing, and the runs that follow.

A raw day is stale when its source holds rows that its file does not, or the other way round; a model's day when what
it was computed from, or what is published, is not what the lake holds now; a day of counters when they were not
reconciled since the history that explains them was published. A day is withheld with what it depends on, and with
nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from community_pipelines.counters.correct import reconciled_at
from community_pipelines.databases.connections import Connection, DatabaseError, connect
from community_pipelines.databases.deployment import Deployment
from community_pipelines.databases.inspect import require_tables
from community_pipelines.flow.counters import REFUSED, Counters
from community_pipelines.flow.model import SqlModel
from community_pipelines.flow.raw import Raw
from community_pipelines.flow.steps import Key
from community_pipelines.flow.window import doubtful_days, unaccepted
from community_pipelines.lake.clock import source_moment
from community_pipelines.lake.compared import Compared, last_comparison, remember_comparison
from community_pipelines.lake.files import Kind, Lake, OneLook, day_bounds, days_between
from community_pipelines.lake.late import Fingerprint, late_days
from community_pipelines.lake.ledger import LakeError
from community_pipelines.lake.moved import days_to_read_again
from community_pipelines.maintenance.restore import pinned_days
from community_pipelines.models.gone import Found, left_out, look
from community_pipelines.models.inputs import Inputs, kept_from
from community_pipelines.models.project import load_model
from community_pipelines.models.publish import RECOMPUTE, Publication, publications, published_hashes
from community_pipelines.platforms.spec import Stream
from community_pipelines.quality import withheld
from community_pipelines.quality.withheld import Withheld
from community_pipelines.settings import Settings

DayState = Literal["done", "stale", "withheld", "missing"]
STATES: tuple[DayState, ...] = ("done", "stale", "withheld", "missing")
PlatformStep = Raw | SqlModel | Counters


@dataclass(frozen=True)
class State:
    """One day of one asset; `why` is for people, `version` changes when there is something new to do. `late` is the
    fingerprint of the source's day where it has other rows than the file."""

    state: DayState
    why: str = ""
    version: str = ""
    late: Fingerprint | None = None


@dataclass(frozen=True)
class Request:
    """A run to make: these assets over the days from first to last, both included."""

    assets: tuple[Key, ...]
    first: date
    last: date
    version: str


@dataclass
class Plan:
    """The states of all closed days, by asset (`raw/community_events`) and day.

    `left_out` has by published table the rows that are left out, and how many entities they are of. `compared_at` is
    when all days were last compared with the source (its clock, UTC); None for never. `notes` say what could not be
    asked, and is not in the states.
    """

    platform: str
    closed: list[date]
    states: dict[str, dict[date, State]] = field(default_factory=dict)
    withheld: dict[tuple[str, date], Withheld] = field(default_factory=dict)
    left_out: dict[str, tuple[int, int]] = field(default_factory=dict)
    compared_at: datetime | None = None
    notes: list[str] = field(default_factory=list)

    def ended_before(self, moment: datetime) -> Plan:
        """The same plan without the days that had not ended by that moment."""
        closed = [day for day in self.closed if day_bounds(day)[1] <= moment]
        states = {asset: {day: of[day] for day in closed} for asset, of in self.states.items()}
        return replace(self, closed=closed, states=states)

    def days(self, asset: str, *wanted: DayState) -> list[date]:
        """The asset's days in any of these states, ascending."""
        return [day for day, state in sorted(self.states[asset].items()) if state.state in wanted]


def closed_days(settings: Settings, deployment: Deployment) -> list[date]:
    """The days from the first partition on that are over, by the source's clock and replay."""
    return days_closed_at(settings, source_moment(deployment).known_until)


def days_closed_at(settings: Settings, moment: datetime) -> list[date]:
    """The days from the first partition on that were over by the grace period at a moment."""
    last = (moment - settings.grace).astimezone(UTC).date() - timedelta(days=1)
    return days_between(settings.start_date, last) if last >= settings.start_date else []


@dataclass(frozen=True)
class _Records:
    """What the publishing database has recorded of a platform.

    `published` is by model the content hash of each day, `counted` by asset what is known of counters, `pinned` by
    stream the days that are archived, `found` by asset the entities that came or went since.
    """

    withheld: dict[tuple[str, date], Withheld]
    left_out: dict[str, tuple[int, int]]
    published: Mapping[str, Mapping[date, str]]
    counted: Mapping[str, _Counted]
    pinned: Mapping[str, Set[date]]
    found: Mapping[str, Found]


def _records(deployment: Deployment, steps: Sequence[PlatformStep], thorough: bool) -> _Records:
    platform = deployment.platform.name
    with connect(deployment.publish_url, deployment.publish_setting) as connection:
        return _Records(
            withheld=withheld.current(connection, platform),
            left_out=left_out(connection, platform),
            published={
                step.name: published_hashes(connection, platform, step.model.contract.publish)
                for step in steps
                if isinstance(step, SqlModel)
            },
            counted={
                step.asset: _counted(connection, deployment, step) for step in steps if isinstance(step, Counters)
            },
            pinned={
                step.stream.name: pinned_days(deployment, step.stream).keys() for step in steps if isinstance(step, Raw)
            },
            found={
                step.asset: look(connection, deployment, step.model)
                for step in steps
                if isinstance(step, SqlModel) and step.model.contract.entity is not None and thorough
            },
        )


def make_plan(
    settings: Settings,
    deployment: Deployment,
    steps: Sequence[PlatformStep],
    compare: Sequence[date] | None = None,
) -> Plan:
    """The present state of all closed days.

    Fingerprints are compared with the source for the days in `compare`, or for all days when it is None; then entities
    that are gone or came back are looked for in the published tables, too, and what was late is remembered. Of days
    that are not compared the newest comparison of all days counts. Raises SourceError when the source is not as
    declared, DatabaseError, ExtractError or LakeError for what is away.
    """
    require_tables(deployment)
    moment = source_moment(deployment)
    records = _records(deployment, steps, thorough=compare is None)
    closed = days_closed_at(settings, moment.known_until)
    lake = OneLook(settings.lake_folder)
    plan = _plan(settings, deployment, steps, lake, closed, records, compare)
    if compare is None:
        late = {
            step.stream.name: {day: state.late for day, state in plan.states[step.asset].items() if state.late}
            for step in steps
            if isinstance(step, Raw)
        }
        plan.compared_at = moment.now
        try:
            remember_comparison(lake, plan.platform, Compared(moment.now, late))
        except LakeError as error:
            # Who may only look at the lake may still compare.
            plan.notes.append(str(error))
    return plan


def known_plan(settings: Settings, deployment: Deployment, steps: Sequence[PlatformStep]) -> Plan:
    """The state of all closed days as far as it is known without asking the source for more than its clock.

    Rows that came late are those of the newest comparison of all days. A database that does not answer raises nothing:
    `notes` says what is not known without it. Raises SourceError when the source is not as declared.
    """
    notes = []
    try:
        require_tables(deployment)
        closed = closed_days(settings, deployment)
    except DatabaseError as error:
        closed = days_closed_at(settings, datetime.now(UTC))
        notes.append(f"the source does not answer, so days are closed by this machine's clock: {error}")
    try:
        records = _records(deployment, steps, thorough=False)
    except DatabaseError as error:
        records = None
        notes.append(f"this is what the lake knows; what is published and withheld is not known: {error}")
    plan = _plan(settings, deployment, steps, OneLook(settings.lake_folder), closed, records, ())
    plan.notes = notes
    return plan


def _plan(
    settings: Settings,
    deployment: Deployment,
    steps: Sequence[PlatformStep],
    lake: OneLook,
    closed: list[date],
    records: _Records | None,
    compare: Sequence[date] | None,
) -> Plan:
    platform = deployment.platform.name
    plan = Plan(platform, closed)
    if records is not None:
        plan.withheld, plan.left_out = records.withheld, records.left_out
    last = closed[-1] if closed else settings.start_date
    doubtful = doubtful_days(deployment, lake, settings.start_date, last, unaccepted(plan.withheld))
    inputs = Inputs(deployment.platform, lake, settings.start_date, doubtful)
    compared = last_comparison(lake, platform) if compare is not None else None
    plan.compared_at = compared.at if compared else None

    def damage(kind: Kind, name: str, days: Sequence[date]) -> dict[date, str]:
        asset = deployment.platform.asset(kind, name)
        known = {day: entry.damage for (of, day), entry in plan.withheld.items() if of == asset and entry.damage}
        found = {day: known.get(day) or inputs.fault(kind, name, day) for day in days}
        return {day: fault for day, fault in found.items() if fault}

    for step in steps:
        if isinstance(step, Raw):
            plan.states[step.asset] = _raw_states(
                settings, deployment, step, lake, inputs, plan, records.pinned[step.stream.name] if records else set(),
                compare, compared,
            )  # fmt: skip
        elif isinstance(step, SqlModel):
            unread = kept_from(step.model, deployment.platform, closed, settings.start_date, damage)
            published = records.published[step.name] if records is not None else None
            plan.states[step.asset] = {
                day: _model_state(step, day, lake, inputs, published, plan, unread.get(day)) for day in closed
            }
            _ask_for_sweep(plan.states[step.asset], records.found.get(step.asset) if records else None)
        elif records is not None:
            counted = records.counted[step.asset]
            plan.states[step.asset] = {day: _counters_state(step, day, counted, plan) for day in closed}
    return plan


def _raw_states(
    settings: Settings,
    deployment: Deployment,
    step: Raw,
    lake: Lake,
    inputs: Inputs,
    plan: Plan,
    pinned: Set[date],
    compare: Sequence[date] | None,
    compared: Compared | None,
) -> dict[date, State]:
    name = step.stream.name
    present = set(lake.days("raw", plan.platform, name))
    kept = {
        day: _fingerprint(plan.withheld[step.asset, day])
        for day in plan.closed
        if (step.asset, day) in plan.withheld and plan.withheld[step.asset, day].fingerprint
    }
    wanted = (set(plan.closed) if compare is None else set(compare)) - pinned
    looked_at = [day for day in plan.closed if day in wanted and (day in present or day in kept)]
    late = late_days(deployment, step.stream, lake, looked_at, {day: kept[day] for day in looked_at if day in kept})
    if compared is not None:
        unknown = set(plan.closed) - pinned - set(looked_at)
        still = _still_late(lake, plan, step, compared, kept)
        late = {**{day: source for day, source in still.items() if day in unknown}, **late}
    again = {
        **_why(days_to_read_again(lake, plan.platform, name, plan.closed), "an id counts on another day"),
        **_why(
            unsettled_days(lake, plan.platform, step.stream, plan.closed, settings),
            "its rows may have changed: it has not settled yet",
        ),
    }
    again = {day: state for day, state in again.items() if day not in pinned}
    return {
        day: _raw_state(day, present, late, again, plan.withheld.get((step.asset, day)), inputs.fault("raw", name, day))
        for day in plan.closed
    }


def _still_late(
    lake: Lake, plan: Plan, step: Raw, compared: Compared, kept: Mapping[date, Fingerprint]
) -> dict[date, Fingerprint]:
    """The days that were late when all were compared, and that nobody has read since."""
    found = {}
    for day, fingerprint in compared.late.get(step.stream.name, {}).items():
        entry = plan.withheld.get((step.asset, day))
        if day in kept and entry is not None:
            read_since = entry.withheld_at > compared.at or kept[day] == fingerprint
        else:
            ledger, _ = lake.look("raw", plan.platform, step.stream.name, day)
            read_since = ledger is None or ledger.read_at > compared.at
        if not read_since:
            found[day] = fingerprint
    return found


def _ask_for_sweep(states: dict[date, State], found: Found | None) -> None:
    """Makes the newest day that is done stale where entities came or went: its numbers depend on who exists, and every
    run ends with a sweep of all days."""
    done = [day for day, state in states.items() if state.state == "done"]
    if found is not None and found.anything and done:
        states[max(done)] = State("stale", found.why, found.version)


def unsettled_days(
    lake: Lake, platform: str, stream: Stream, closed: Sequence[date], settings: Settings
) -> dict[date, str]:
    """The days whose rows may still have changed since their file was read, with the close that asks for it anew.

    A day is read again after every close of a day until it has settled: `settles_days` after its own end.
    """
    if not stream.settles_days or not closed:
        return {}
    newest_close = day_bounds(closed[-1])[1] + settings.grace
    found = {}
    # A day that was last read long ago may lie further back than the days that settle now.
    for day in closed:
        settled = day_bounds(day)[1] + timedelta(days=stream.settles_days) + settings.grace
        ledger, _ = lake.look("raw", platform, stream.name, day)
        wanted = min(settled, newest_close)
        if ledger is not None and ledger.read_at < wanted:
            found[day] = f"settling:{wanted:%Y-%m-%d}"
    return found


def _why(days: Mapping[date, str], why: str) -> dict[date, State]:
    return {day: State("stale", why, version) for day, version in days.items()}


def _fingerprint(kept: Withheld) -> Fingerprint:
    rows, _, xor = kept.fingerprint.partition(":")
    return int(rows), int(xor)


def _raw_state(
    day: date,
    present: set[date],
    late: Mapping[date, Fingerprint],
    again: Mapping[date, State],
    kept: Withheld | None,
    fault: str,
) -> State:
    source = late.get(day)
    if kept is None or kept.damaged:
        if why := fault or (kept.why if kept is not None else ""):
            return State("stale", f"damaged: {why}", f"damaged:{why}")
        kept = None
    version = f"{source[0]}:{source[1]}" if source else ""
    if kept is not None and kept.released:
        return State("stale", f"released: {kept.release_reason}", f"released:{kept.content_hash}")
    if kept is not None and source is None:
        return State("withheld", kept.why)
    if source is not None:
        since = "the source has changed since it was withheld"
        return State("stale", "the source has other rows than the file" if kept is None else since, version, source)
    if day in again:
        return again[day]
    return State("done") if day in present else State("missing", version="missing")


def _model_state(
    step: SqlModel,
    day: date,
    lake: Lake,
    inputs: Inputs,
    published: Mapping[date, str] | None,
    plan: Plan,
    unread: str | None,
) -> State:
    if (upstream := _withheld_upstream(step, day, plan)) is not None:
        return upstream
    kept = plan.withheld.get((step.asset, day))
    wanted = inputs.hash(step.model, day)
    ledger, fault = lake.look("models", plan.platform, step.name, day)
    if unread is not None and (ledger is None or ledger.inputs != wanted):
        return State("withheld", unread)
    if kept is not None and kept.damaged:
        return State("stale", f"damaged: {kept.why}", f"damaged:{kept.why}")
    if kept is not None and not kept.released:
        return State("withheld", kept.why)
    if fault:
        return State("stale", f"damaged: {fault}", f"damaged:{fault}")
    if ledger is None:
        return State("missing", version="missing")
    if kept is not None:
        return State("stale", f"released: {kept.release_reason}", f"released:{kept.content_hash}")
    if ledger.inputs != wanted:
        return State("stale", "what it was computed from has changed", wanted)
    if published is None:
        return State("done")
    if published.get(day, "").startswith(RECOMPUTE):
        return State("stale", "entities that it names are gone or came back: ranks close up", published[day])
    if published.get(day) != ledger.content_hash:
        return State("stale", "the lake's result is not published", ledger.content_hash)
    return State("done")


def _withheld_upstream(step: SqlModel | Counters, day: date, plan: Plan) -> State | None:
    for asset in step.upstream:
        state = plan.states[asset][day] if asset in plan.states else State("done")
        if state.state == "withheld":
            return State("withheld", f"{asset} is withheld: {state.why}")
    return None


@dataclass(frozen=True)
class _Counted:
    """What is recorded of each day of a history, and when its counters were last reconciled to the end (UTC)."""

    published: Mapping[date, Publication]
    reconciled_at: datetime | None


def _counted(connection: Connection, deployment: Deployment, step: Counters) -> _Counted:
    name = deployment.platform.name
    history = load_model(name, step.table.history_model).contract.publish
    mode = deployment.settings.counters_mode
    return _Counted(publications(connection, name, history), reconciled_at(connection, name, step.table, mode))


def _counters_state(step: Counters, day: date, counted: _Counted, plan: Plan) -> State:
    if (upstream := _withheld_upstream(step, day, plan)) is not None:
        return upstream
    published, reconciled = counted.published.get(day), counted.reconciled_at
    kept = plan.withheld.get((step.asset, day))
    if kept is not None:
        refused = any(failure.column == REFUSED for failure in kept.failures)
        if refused and reconciled is not None and reconciled > kept.withheld_at:
            return State("stale", "they were reconciled since they were refused", f"reconciled:{reconciled}")
        return State("withheld", kept.why)
    if published is None:
        return State("missing", version="missing")
    if reconciled is None or reconciled < published.published_at:
        version = f"published:{published.published_at}"
        return State("stale", "they were not reconciled since their history was published", version)
    return State("done")


def requests(
    plan: Plan, steps: Sequence[PlatformStep], wanted: Iterable[DayState] = ("stale", "missing")
) -> list[Request]:
    """The runs that the plan asks for, as ranges of days.

    Days to extract go through the whole chain. When there are none, the models' days that depend on what has
    changed are recomputed, without reading the source again; when there are none of these, counters are reconciled.
    """
    states = tuple(wanted)
    raw = [step for step in steps if isinstance(step, Raw)]
    whole = sorted({day for step in raw for day in plan.days(step.asset, *states)})
    if whole:
        keys = tuple(step.key for step in steps)
        return [_request(plan, raw, keys, days) for days in ranges(whole)]
    models = [step for step in steps if isinstance(step, SqlModel)]
    following = sorted({day for step in models for day in plan.days(step.asset, *states)})
    if following:
        keys = tuple(step.key for step in steps if not isinstance(step, Raw))
        return [_request(plan, models, keys, days) for days in ranges(following)]
    counters = [step for step in steps if isinstance(step, Counters)]
    uncounted = sorted({day for step in counters for day in plan.days(step.asset, *states)})
    return [_request(plan, counters, tuple(step.key for step in counters), days) for days in ranges(uncounted)]


def ranges(days: Sequence[date]) -> list[list[date]]:
    """Ascending days cut where a day is missing in between."""
    cut: list[list[date]] = []
    for day in days:
        if cut and day - cut[-1][-1] == timedelta(days=1):
            cut[-1].append(day)
        else:
            cut.append([day])
    return cut


def _request(plan: Plan, steps: Sequence[PlatformStep], keys: tuple[Key, ...], days: list[date]) -> Request:
    versions = [f"{step.asset}{day}{plan.states[step.asset][day].version}" for step in steps for day in days]
    return Request(keys, days[0], days[-1], hashlib.sha256("".join(versions).encode()).hexdigest()[:16])
