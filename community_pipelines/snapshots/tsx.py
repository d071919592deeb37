"""What a scene's code must not be or do, found without running it, in time that is in proportion to its length.

Here: parsing (tree-sitter's TSX grammar, which is not the TypeScript compiler), imports, and whether there is a
component. What is denied is in `denied`, how it is found in `walk`. Not here: limits of size and number (`options`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache, partial
from time import thread_time
from typing import TYPE_CHECKING

from community_pipelines.snapshots.constants import constant, text_of, unwrapped
from community_pipelines.snapshots.denied import MESSAGES, REORDERS, is_suspicious
from community_pipelines.snapshots.project import Finding, Severity
from community_pipelines.snapshots.scopes import Found
from community_pipelines.snapshots.walk import TooSlow, Walk, in_time

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Tree

# Of one scene, as the settings have it.
_SECONDS = 5.0
# Errors are shown as far as they help: one slip breaks the parse in many places, and one copy repeats its mistake.
_SYNTAX_SHOWN = 5
_SHOWN = 100
_LARGE_TEXT = 50_000
_CHUNK = 16_384

_EXPORTED_KINDS = frozenset(
    ("arrow_function", "function_expression", "class", "function_declaration", "class_declaration")
)
_WRITTEN = frozenset(("lexical_declaration", "variable_declaration"))
_REGISTERS = frozenset(("registerRoot", "registerComponent"))
# What makes a component of a component.
_MAKERS = re.compile(r"(?:\w+\.)?(?:memo|forwardRef)")
# TypeScript's variance, which the grammar does not know; only in the head of a declaration of a type.
_HEAD = re.compile(rb"\b(?:class|interface|type)\s+[\w$]+\s*<[^(){};=]*")
_VARIANCE = re.compile(rb"(?<=[<,])(\s*)(in\s+out|in|out)(?=\s+[\w$])")


def examine(file: str, code: bytes, allowed_imports: Sequence[str], seconds: float = _SECONDS) -> list[Finding]:
    """Everything that is wrong with one scene's UTF-8 code, in the order of its lines. Pure.

    Of very many findings the first hundred are given. What takes longer than `seconds` is refused for that.
    """
    try:
        return _examined(file, code, allowed_imports, thread_time() + seconds)
    except TooSlow:
        message = f"it could not be looked through in {seconds:g} s of computing: make it smaller or simpler"
        return [Finding(file, "too-slow", message)]


def _examined(file: str, code: bytes, allowed: Sequence[str], until: float) -> list[Finding]:
    root = _parsed(code, until).root_node
    if root.has_error:
        again = _parsed(_without_variance(code), until).root_node
        root = root if again.has_error else again
    found = list(_syntax(root)) if root.has_error else []
    refuse = partial(_refused_import, allowed=tuple(allowed))
    imports = 0
    for child in root.named_children:
        kind = child.type
        imports += kind == "import_statement"
        if kind in ("import_statement", "export_statement"):
            source = _source(child)
            message = None if source is None else refuse(constant(code, source)[0])
            if source is not None and message is not None:
                found.append(Found(source.start_byte, "import-not-allowed", message))
    if code.count(b"import") > imports or is_suspicious(code):
        found += Walk(code, refuse, until).run(root)
    if not code.isascii():
        found += _reordered(code.decode(errors="replace"))
    if len(code) > _LARGE_TEXT:
        found += _large_texts(root)
    findings = list(_shown(file, code, found))
    without = _without_component(root, code, until)
    if without is not None:
        findings.insert(0, Finding(file, "no-component", without))
    return findings


def examine_all(
    scenes: Sequence[tuple[str, bytes]], allowed_imports: Sequence[str], seconds: float = _SECONDS
) -> list[Finding]:
    """`examine` for all scenes of a template, for a worker process."""
    return [finding for file, code in scenes for finding in examine(file, code, allowed_imports, seconds)]


def severity_of(rule: str) -> Severity:
    """An error rejects the template, a warning is recorded with it."""
    return "warning" if rule in ("import-meta-env", "large-inline-data") else "error"


@cache
def _language() -> Language:
    import tree_sitter_typescript
    from tree_sitter import Language

    return Language(tree_sitter_typescript.language_tsx())


def _parsed(code: bytes, until: float) -> Tree:
    from tree_sitter import Parser

    stopped = False

    def chunk(offset: int, _: object) -> bytes:
        nonlocal stopped
        stopped = stopped or thread_time() > until
        # An exception would not stop the parser; nothing more to read does.
        return b"" if stopped else code[offset : offset + _CHUNK]

    # A parser of its own: while it asks for more code another thread may parse, too.
    tree = Parser(_language()).parse(chunk)
    if tree is None or stopped:
        raise TooSlow
    return tree


def _without_variance(code: bytes) -> bytes:
    """The same code, `in` and `out` of type parameters made blank, so that every place stays where it is."""
    blank = partial(_VARIANCE.sub, lambda found: found.group(1) + b" " * len(found.group(2)))
    return _HEAD.sub(lambda head: blank(head.group()), code)


def _source(statement: Node) -> Node | None:
    """The module that an import or export names; None where it is gone when the code runs."""
    source = None
    for child in statement.children:
        kind = child.type
        if kind == "type":
            return None
        if kind == "string":
            source = child
        elif kind == "import_require_clause":
            source = child.child_by_field_name("source")
    return source


def _syntax(root: Node) -> Iterator[Found]:
    shown = 0
    stack = [root]
    while stack and shown < _SYNTAX_SHOWN:
        node = stack.pop()
        if node.is_error or node.is_missing:
            shown += 1
            what = f"{node.type!r} is missing here" if node.is_missing else "the parser cannot follow here"
            message = f"{what}: it is no TSX, or of a rare kind that has to be written in another way"
            yield Found(node.start_byte, "syntax", message)
        elif node.has_error:
            stack += reversed(node.children)


def _reordered(text: str) -> Iterator[Found]:
    at = begin = 0
    for found in REORDERS.finditer(text):
        at += len(text[begin : found.start()].encode())
        begin = found.start()
        yield Found(at, "reordered-text", MESSAGES["reordered-text"])


def _large_texts(root: Node) -> Iterator[Found]:
    stack = [root]
    while stack:
        node = stack.pop()
        size = node.end_byte - node.start_byte
        if node.type in ("string", "template_string"):
            message = f"{size:,} bytes of data inside the code: keep them in a file"
            yield Found(node.start_byte, "large-inline-data", message)
        # Only a large node has a large one in it.
        stack += [child for child in node.children if child.end_byte - child.start_byte > _LARGE_TEXT]


def _without_component(root: Node, code: bytes, until: float) -> str | None:
    """Why there is nothing to play: no component is the default, registered, or the only one that is exported."""
    exports = [child for child in in_time(root.children, until) if child.type == "export_statement"]
    if any(_is_default_export(one, code, until) for one in exports) or _registers(root, code, until):
        return None
    components = list(_components(root, exports, code, until))
    if len(components) == 1:
        return None
    if components:
        return f"{', '.join(components[:5])} are exported, and none of them by default: add `default` to one"
    return "no component is exported by default or registered: add `export default`"


def _is_default_export(node: Node, code: bytes, until: float) -> bool:
    if any(child.type == "default" for child in node.children):
        return True
    clause = next((child for child in node.children if child.type == "export_clause"), None)
    specifiers = in_time(clause.named_children if clause is not None else [], until)
    names = (one.child_by_field_name("alias") or one.child_by_field_name("name") for one in specifiers)
    return any(name is not None and text_of(code, name) == "default" for name in names)


def _components(root: Node, exports: Sequence[Node], code: bytes, until: float) -> Iterator[str]:
    """The names of the components that are exported."""
    declared: set[str] = set()
    for child in in_time(root.named_children, until):
        declared |= set(_declared(child, code, until))
    for one in in_time(exports, until):
        declaration = one.child_by_field_name("declaration")
        if declaration is not None:
            yield from _declared(declaration, code, until)
        elif one.child_by_field_name("source") is None:
            for clause in (child for child in one.children if child.type == "export_clause"):
                names = (one.child_by_field_name("name") for one in in_time(clause.named_children, until))
                yield from (text_of(code, name) for name in names if name and text_of(code, name) in declared)


def _declared(node: Node, code: bytes, until: float) -> Iterator[str]:
    """The components that a statement declares: functions and classes whose name begins with a capital letter."""
    declarators = [one for one in node.named_children if one.type == "variable_declarator"]
    for one in in_time(declarators if node.type in _WRITTEN else [node], until):
        name, value = one.child_by_field_name("name"), one
        if node.type in _WRITTEN:
            given = one.child_by_field_name("value")
            if given is None:
                continue
            value = unwrapped(given)
        called = value.child_by_field_name("function") if value.type == "call_expression" else None
        made = called is not None and _MAKERS.fullmatch(text_of(code, called))
        if name is not None and (made or value.type in _EXPORTED_KINDS) and text_of(code, name)[:1].isupper():
            yield text_of(code, name)


def _registers(root: Node, code: bytes, until: float) -> bool:
    if not re.search(rb"register(Root|Component)|Composition|__REMOTION_COMPONENT", code):
        return False
    for node in in_time(_everything(root), until):
        kind = node.type
        if kind == "call_expression":
            called = node.child_by_field_name("function")
            if called is not None and called.type == "identifier" and text_of(code, called) in _REGISTERS:
                return True
        elif kind in ("jsx_self_closing_element", "jsx_opening_element"):
            name = node.child_by_field_name("name")
            if name is not None and name.type == "identifier" and text_of(code, name) == "Composition":
                return True
        elif kind == "assignment_expression":
            target = node.child_by_field_name("left")
            prop = target.child_by_field_name("property") if target is not None else None
            if prop is not None and "__REMOTION_COMPONENT" in text_of(code, prop):
                return True
    return False


def _everything(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += node.children


@lru_cache(maxsize=1_000)
def _refused_import(module: str, allowed: tuple[str, ...]) -> str | None:
    """Why a module may not be imported; None where it may."""
    if _allowed(module, allowed):
        return None
    if module.startswith((".", "/")):
        return f"{module!r} is a file of its project, and a template's scene stands alone: move it into the scene"
    return f"{module!r} is not among the {len(allowed)} allowed packages of the setting snapshots.allowed_imports"


def _allowed(module: str, allowed: Sequence[str]) -> bool:
    """`react` allows `react` and `react/…`; a name that ends with * allows all that begin so."""
    for name in allowed:
        if name.endswith("*"):
            if module.startswith(name[:-1]) and len(module) > len(name) - 1:
                return True
        elif module == name or module.startswith(f"{name}/"):
            return True
    return False


def _shown(file: str, code: bytes, found: Iterable[Found]) -> Iterator[Finding]:
    """The first findings as people count lines and columns, each said once."""
    ordered = sorted(dict.fromkeys(found), key=lambda one: one.at)
    at, line, column = 0, 1, 1
    for one in ordered[:_SHOWN]:
        between = code[at : one.at]
        lines = between.count(b"\n")
        if lines:
            line, column = line + lines, 1
            between = between[between.rindex(b"\n") + 1 :]
        passed = between.decode(errors="replace")
        # An editor does not show it.
        column += len(passed.removeprefix("\ufeff") if at == 0 and not lines else passed)
        at = one.at
        yield Finding(file, one.rule, one.message, severity_of(one.rule), line, column)
    if len(ordered) > _SHOWN:
        rest = ordered[_SHOWN:]
        worst: Severity = "error" if any(severity_of(one.rule) == "error" for one in rest) else "warning"
        yield Finding(file, "and-more", f"and {len(rest):,} more findings like these", worst)
