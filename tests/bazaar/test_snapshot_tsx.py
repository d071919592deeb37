"""What a scene's code is refused for, at which line and column, and what only looks like it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from community_pipelines.settings import ALLOWED_IMPORTS
from community_pipelines.snapshots.tsx import examine

COMPONENT = "export default function Scene() { return <div/>; }\n"


def found(code: str) -> list[tuple[str, int | None, int | None]]:
    """Rule, line and column of what is found in that code beside a component."""
    return [(one.rule, one.line, one.column) for one in examine("a.tsx", code.encode(), ALLOWED_IMPORTS)]


# The place of the finding is marked with ».
DENIED = [
    ("eval", "»eval('1')"),
    ("eval", "const go = »eval; go('1')"),
    ("eval", "(0, »eval)('1')"),
    ("eval", "»window.eval('1')"),
    ("eval", "»globalThis['eval']('1')"),
    ("eval", "const »{ eval: run } = window"),
    ("function-constructor", "new »Function('return 1')()"),
    ("function-constructor", "»Function('return 1')"),
    ("function-constructor", "»(() => 1).constructor('return 1')"),
    ("string-timer", "»setTimeout('go()', 5)"),
    ("string-timer", "»window.setInterval(`go()`, 5)"),
    ("string-timer", "»setTimeout('go(' + 1 + ')', 5)"),
    ("dynamic-import", "»import('https://cdn.example/x.js')"),
    ("dynamic-import", "»import('left-pad')"),
    ("dynamic-import", "const load = (name: string) => »import(name)"),
    ("dynamic-import", "»import(`re` + `act`)"),
    ("import-not-allowed", "»require('fs')"),
    ("import-not-allowed", "»require(name)"),
    ("document-cookie", "»document.cookie"),
    ("document-cookie", "»document['cookie'] = 'a=b'"),
    ("document-cookie", "»window.document.cookie"),
    ("document-cookie", "const »{ cookie } = document"),
    ("browser-storage", "»localStorage.setItem('a', 'b')"),
    ("browser-storage", "»window.sessionStorage"),
    ("browser-storage", "»indexedDB.open('a')"),
    ("network", "»fetch('/api')"),
    ("network", "»self.fetch('/api')"),
    ("network", "const get = { »fetch }"),
    ("network", "new »XMLHttpRequest()"),
    ("network", "new »WebSocket('wss://example')"),
    ("network", "new »EventSource('/api')"),
    ("network", "»navigator.sendBeacon('/api')"),
    ("process-env", "»process.env.KEY"),
    ("process-env", "»process?.env"),
    ("process-env", "const »{ env } = process"),
    ("import-meta-env", "»import.meta.env.KEY"),
    ("computed-global", "»window[name]"),
    ("computed-global", "»document[name]"),
    ("computed-global", "const all = »globalThis"),
    ("computed-global", "run(»window)"),
    ("computed-global", "const { ...all } = »window"),
    ("escaped-identifier", r"»\u0065val('1')"),
    ("escaped-identifier", r"window.»\u0066etch('/api')"),
]


@pytest.mark.parametrize(("rule", "code"), DENIED, ids=[code for _, code in DENIED])
def test_what_is_denied_is_found_where_it_stands(rule: str, code: str) -> None:
    assert found(f"{COMPONENT}{code.replace('»', '')};\n") == [(rule, 2, code.index("»") + 1)]


ATTRIBUTES = [
    "<div dangerouslySetInnerHTML={{ __html: '' }}/>",
    "<div {...{ dangerouslySetInnerHTML: { __html: '' } }}/>",
    "<div {...{ 'dangerouslySetInnerHTML': { __html: '' } }}/>",
]


@pytest.mark.parametrize("markup", ATTRIBUTES)
def test_markup_from_text_is_denied_however_it_is_given(markup: str) -> None:
    assert [rule for rule, _, _ in found(f"export default () => {markup};")] == ["dangerous-html"]


INNOCENT = [
    "const a = { fetch: 1, eval: 2, localStorage: 3 }",
    "api.fetch('/a'); api.eval('b')",
    "function fetch() {}; fetch()",
    "const load = (fetch: () => void) => fetch()",
    "import { fetch } from 'remotion'; fetch()",
    "const f = ({ eval: run }: { eval: number }) => run",
    "try {} catch (top) { console.log(top) }",
    "// eval('1') and document.cookie",
    "/* new Function('1') */",
    "const text = 'localStorage.clear()'",
    "const text = `fetch(${1})`",
    "const text = <b>fetch(), eval() and process.env</b>",
    "const text = <b title='document.cookie'>dangerouslySetInnerHTML</b>",
    "typeof window !== 'undefined'",
    "go instanceof Function",
    "window.innerWidth + document.title.length",
    "const { innerWidth, devicePixelRatio = 1 } = window",
    "setTimeout(() => 1, 5)",
    "process.stdout",
    "const env = { process: { env2: 1 } }",
    "type Get = typeof fetch",
    "let parent: Node; let top = 0",
    "const style = { top: 1, parent: 1 }",
    "const s = 'caf\\u00e9'",
    "import('react')",
    "require('@remotion/shapes')",
    "export const evaluate = 1, prefetch = 2, myFunction = 3",
]


@pytest.mark.parametrize("code", INNOCENT)
def test_what_only_looks_like_it_passes(code: str) -> None:
    assert found(f"{COMPONENT}{code};\n") == []


IMPORTS = [
    ("react", True),
    ("react/jsx-runtime", True),
    ("react-evil", False),
    ("remotion", True),
    ("@remotion/google-fonts/Inter", True),
    ("@remotion/", False),
    ("@remotionfake/shapes", False),
    ("lucide-react", True),
    ("./Title", False),
    ("/etc/passwd", False),
    ("https://cdn.example/x.js", False),
    ("", False),
]


@pytest.mark.parametrize(("module", "allowed"), IMPORTS)
@pytest.mark.parametrize(
    "form", ["import x from '{}'", 'import "{}"', "import {{ type x }} from '{}'", "export * from '{}'"]
)
def test_only_allowed_packages_are_imported_in_whatever_form(form: str, module: str, allowed: bool) -> None:
    code = form.format(module)
    expected = [] if allowed else [("import-not-allowed", 1, max(code.find("'"), code.find('"')) + 1)]
    assert found(f"{code};\n{COMPONENT}") == expected


def test_the_list_of_packages_is_a_setting() -> None:
    code = f"import x from 'three';\nimport y from 'react';\n{COMPONENT}".encode()
    assert [one.line for one in examine("a", code, ["three"])] == [2]
    (local,) = examine("a", f"import x from './x';\n{COMPONENT}".encode(), ["three"])
    assert "move it into the scene" in local.message


COMPONENTS = [
    "export default function Scene() { return null; }",
    "export default () => <b/>",
    "class Scene {}\nexport default Scene",
    "const Scene = () => null;\nexport { Scene as default }",
    "export { Scene as default } from 'remotion'",
    "import { registerRoot } from 'remotion';\nregisterRoot(() => null)",
    "const Root = () => <Composition id='a' component={Root}/>",
    "const Scene = () => null;\nwindow.__REMOTION_COMPONENT = Scene",
    "export { default } from 'remotion'",
    "export const Scene = () => null",
    "export const Scene: React.FC = function () { return null }",
    "export const Scene = React.memo(() => null);\nexport const FPS = 30;\nexport const useA = () => 1",
    "export function Scene() { return null; }\nexport type Props = { a: 1 };\nexport interface Other {}",
    "export class Scene extends React.Component {}\nconst Part = () => null",
    "function Scene() { return null; }\nconst fps = 30;\nexport { Scene, fps }",
]


@pytest.mark.parametrize("code", COMPONENTS)
def test_a_component_is_exported_by_default_or_registered(code: str) -> None:
    assert found(code) == []


@pytest.mark.parametrize(
    "code",
    [
        "",
        "const Scene = () => null",
        "export const Scene = 1",
        "// export default x",
        "'registerRoot(x)'",
        "export const scene = () => null",
        "export type Scene = () => null",
        "export { Scene } from 'remotion'",
        "export const Schema = object({})",
        "export declare function Scene(): null",
        "export const Scene = () => null, Other = () => null",
        "export function Scene() {}\nexport class Other {}",
    ],
)
def test_code_without_a_component_is_refused(code: str) -> None:
    assert found(code) == [("no-component", None, None)]


def test_several_components_are_named_when_none_is_the_default() -> None:
    (finding,) = examine("a", b"export function Intro() {}\nexport const Outro = () => null;", ALLOWED_IMPORTS)
    assert "Intro, Outro are exported" in finding.message


BROKEN = [
    ("export default () => <div>;", 1),
    ("export default () => {\n  return (\n}\n", 2),
    ("export default 1;\nconst a = ;\n", 2),
    ("export default 1;\n<<<<<<< HEAD\n", 2),
    ("\x00\x01 not code at all )]}", 1),
]


@pytest.mark.parametrize(("code", "line"), BROKEN)
def test_what_does_not_parse_says_where(code: str, line: int) -> None:
    syntax = [one for one in found(code) if one[0] == "syntax"]
    assert 1 <= len(syntax) <= 5
    assert syntax[0][1] == line


@pytest.mark.parametrize(
    ("before", "line", "column"),
    [
        ("", 1, 1),
        ("\ufeff", 1, 1),
        ("/* 🎬é */ ", 1, 10),
        ("let a;\r\n", 2, 1),
        ("let a;\n\n\t", 3, 2),
        ("/*" + "x" * 300_000 + "*/", 1, 300_005),
    ],
    ids=["first", "BOM", "astral", "CRLF", "tab", "long line"],
)
def test_lines_and_columns_count_what_an_editor_counts(before: str, line: int, column: int) -> None:
    assert found(f"{before}eval('1');\n{COMPONENT}") == [("eval", line, column)]


def test_findings_are_in_the_order_of_the_lines_and_each_is_said_once() -> None:
    assert found("fetch('a');\nimport x from './x';\neval('b'); localStorage;\n") == [
        ("no-component", None, None),
        ("network", 1, 1),
        ("import-not-allowed", 2, 15),
        ("eval", 3, 1),
        ("browser-storage", 3, 12),
    ]


def test_data_inside_the_code_is_a_warning_and_so_is_what_is_empty_where_it_is_played() -> None:
    code = f"{COMPONENT}const a = '{'x' * 60_000}';\nimport.meta.env;\n".encode()
    assert [(one.rule, one.severity, one.line) for one in examine("a", code, [])] == [
        ("large-inline-data", "warning", 2),
        ("import-meta-env", "warning", 3),
    ]


FRAGMENTS = st.sampled_from(
    [*"(){}[]<>;,.'\"`/*=?:\n\ufeff", "=>", "${", "eval", "window", "fetch", "const ", "import ", "export default ",
     "document", ".cookie", "[name]", "new ", "Function", "...", "</", "process", ".env", "\\u0065", "é", "🎬"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.lists(FRAGMENTS, max_size=40).map(lambda parts: "".join(parts).encode())))
@example(b"import(" * 200)
@example(b"[" * 5_000)
def test_whatever_the_bytes_are_findings_come_back_with_a_place_inside_the_text(code: bytes) -> None:
    lines = code.count(b"\n") + 1
    for one in examine("a", code, ALLOWED_IMPORTS):
        assert one.line is None or 1 <= one.line <= lines
        assert one.column is None or 1 <= one.column <= len(code) + 1


def test_threads_look_at_scenes_side_by_side() -> None:
    # Long enough to be read in parts: in between another thread has its turn.
    codes = [f"{COMPONENT}// {n}\n" + "const a = [1, 2, 3];\n" * 4_000 for n in range(8)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(found, codes * 4)) == [[]] * 32
