"""How much is done to look through a scene: in proportion to its length, and never for longer than its budget."""

from __future__ import annotations

import time

import pytest

from community_pipelines.settings import ALLOWED_IMPORTS
from community_pipelines.snapshots.tsx import _parsed, _without_component, examine
from community_pipelines.snapshots.walk import TooSlow, Walk

# How a scene of that many uses is written, each way one that is easily looked at once for every other.
SCENES = {
    "names": lambda n: "fetch;" * n,
    "names of globals": lambda n: "frames;" * n,
    "names on lines": lambda n: "fetch;\n" * n,
    "names that are declared": lambda n: "const fetch = 1;" + "fetch;" * n,
    "names that are declared at the end": lambda n: "fetch;" * n + "function fetch() {}",
    "functions inside of each other": lambda n: "(fetch => { fetch; window; " * n + "})" * n,
    "blocks that declare for their function": lambda n: "{ var top = fetch; " * n + "}" * n,
    "brackets": lambda n: "(" * n + "window" + ")" * n,
    "casts": lambda n: "(" * n + "window" + " as any)" * n,
    "members": lambda n: "window" + ".window" * n,
    "members of members": lambda n: "a" + ".defaultView.document" * n,
    "constructors": lambda n: "a" + ".constructor" * n,
    "markup that is set": lambda n: "a" + ".innerHTML" * n + " = 1",
    "tests": lambda n: "window && (" * n + "window" + ")" * n,
    "sums": lambda n: "window[" + "'a' + " * n + "'b']",
    "templates": lambda n: "window[" + "`a${" * n + "1" + "}`" * n + "]",
    "patterns": lambda n: "const " + "{ document: " * n + "top" + "}" * n + " = window",
    "arguments": lambda n: "setTimeout(" + "a, " * n + "'b')",
    "elements": lambda n: "a = " + "<b href={" * n + "'x'" + "}/>" * n,
    "attributes": lambda n: "a = <b " + "href='x' " * n + "/>",
    "windows of events": lambda n: "a" + "!.view!.document" * n,
    "constructors of this": lambda n: "class A { a() { " + "new this.constructor(() => " * n + "1" + ")" * n + " } }",
    "methods of classes": lambda n: "(class { a() { this.constructor; " * n + "} })" * n,
    "timers": lambda n: "setTimeout(" * n + "...a" + ")" * n,
    "events": lambda n: "a.onclick = " * n + "'x'",
    "forms": lambda n: "a = " + "<form action={" * n + "'x'" + "}/>" * n,
    "keys": lambda n: "a = { " + "href: 'x', " * n + "}",
}  # fmt: skip


def steps(code: str) -> int:
    """The nodes that a walk over the code looks at."""
    data = code.encode()
    walk = Walk(data, lambda module: None, until=time.thread_time() + 60)
    walk.run(_parsed(data, time.thread_time() + 60).root_node)
    return walk.visited


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_four_times_the_code_is_four_times_the_work(scene: object) -> None:
    assert callable(scene)
    assert steps(scene(200)) > 150
    assert steps(scene(800)) < 4.2 * steps(scene(200))


# These hardly have a node to look at, and still take time.
BROKEN = {
    "what does not parse": lambda n: "+(" * 15 * n,
    "types that do not end": lambda n: "type A<in " * n,
    "calls of calls": lambda n: "registerRoot" + "()" * 15 * n,
}
TIMED = {**SCENES, **BROKEN}


@pytest.mark.parametrize("scene", TIMED.values(), ids=TIMED.keys())
def test_four_times_the_code_takes_about_four_times_as_long(scene: object) -> None:
    def seconds(n: int) -> float:
        assert callable(scene)
        code = f"export const a = 1;\n{scene(n)}".encode()
        best = float("inf")
        for _ in range(3):
            begin = time.thread_time()
            examine("a.tsx", code, ALLOWED_IMPORTS, seconds=60)
            best = min(best, time.thread_time() - begin)
        return best

    # What is quadratic takes sixteen times as long.
    assert seconds(2_000) < 10 * seconds(500)


@pytest.mark.parametrize("code", ["fetch;" * 1_000, "{ top " * 10_000, "window.innerWidth;" * 1_000])
def test_what_is_not_looked_through_in_its_time_is_refused_for_that(code: str) -> None:
    (finding,) = examine("a.tsx", f"export default 1;\n{code}".encode(), ALLOWED_IMPORTS, seconds=1e-9)
    assert (finding.file, finding.rule, finding.severity) == ("a.tsx", "too-slow", "error")


@pytest.mark.parametrize("code", ["a" + "()" * 2_000 + "; registerRoot;", "export const A = 1;" * 2_000])
def test_the_search_for_a_component_ends_with_the_time(code: str) -> None:
    root = _parsed(code.encode(), time.thread_time() + 60).root_node
    assert _without_component(root, code.encode(), time.thread_time() + 60) is not None
    with pytest.raises(TooSlow):
        _without_component(root, code.encode(), until=0)


def test_what_was_stopped_leaves_nothing_behind() -> None:
    code = b"export default 1;\nfetch('/a');\n"
    examine("a.tsx", b"{ top " * 10_000, ALLOWED_IMPORTS, seconds=1e-9)
    assert [(one.rule, one.line) for one in examine("b.tsx", code, ALLOWED_IMPORTS)] == [("network", 2)]


def test_of_very_many_findings_the_first_are_shown_and_the_rest_is_counted() -> None:
    found = examine("a.tsx", b"export default 1;\n" + b"fetch;" * 1_000, ALLOWED_IMPORTS)
    assert len(found) == 101
    assert {one.rule for one in found[:100]} == {"network"}
    assert (found[100].rule, found[100].severity) == ("and-more", "error")
    assert "900" in found[100].message
