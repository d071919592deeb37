"""What a scene's code must not be or do, found without running it.

Here: parsing (tree-sitter's TSX grammar, which is not the TypeScript compiler) and the list of what is denied.
Not here: limits of size and number (`options`). The list keeps honest authors from mistakes and careless copies
from the gallery; it is no sandbox, and the app that plays a scene must be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from community_pipelines.snapshots.project import Finding, Severity

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query

GLOBALS = ("window", "globalThis", "self", "top", "parent", "frames")
STORAGE = ("localStorage", "sessionStorage", "indexedDB")
NETWORK = ("fetch", "XMLHttpRequest", "WebSocket", "EventSource")
DENIED = {
    "eval": "eval",
    "Function": "function-constructor",
    **dict.fromkeys(STORAGE, "browser-storage"),
    **dict.fromkeys(NETWORK, "network"),
}
MESSAGES = {
    "eval": "eval runs text as code: write the code itself",
    "function-constructor": "a function made from text runs it as code: write the function itself",
    "string-timer": "a timer with text runs it as code: give it a function, or use the frame",
    "dynamic-import": "import() of this is not allowed: import an allowed package at the top",
    "document-cookie": "a template must not read or write cookies",
    "browser-storage": "a template must not keep anything in the browser",
    "network": "a template must not talk to the network: use remotion's staticFile or props",
    "dangerous-html": "dangerouslySetInnerHTML is not allowed: write elements",
    "process-env": "process.env is not allowed: use props",
    "import-meta-env": "import.meta.env is empty where templates are played: use props",
    "computed-global": "a global object may only be used by a name that can be read here",
    "escaped-identifier": "names must be written without escapes",
}
# Errors are shown as far as they help: one slip breaks the parse in many places.
_SYNTAX_SHOWN = 5
_LARGE_TEXT = 50_000

# Most scenes hold none of these bytes and need no second look; `import` is counted, since most have it at the top.
_SUSPICIOUS = (
    b"eval", b"Function", b"constructor", b"setTimeout", b"setInterval", b"document", b"Storage", b"indexedDB",
    b"fetch", b"XMLHttpRequest", b"WebSocket", b"EventSource", b"sendBeacon", b"dangerouslySetInnerHTML", b"process",
    b"require", b"window", b"globalThis", b"self", b"top", b"parent", b"frames", b"\\u",
)  # fmt: skip
_LOOKED_AT = """
((identifier) @name (#any-of? @name {names}))
((shorthand_property_identifier) @name (#any-of? @name {names}))
(member_expression) @member
(subscript_expression) @member
(call_expression) @call
(new_expression) @call
(object_pattern) @pattern
((property_identifier) @html (#eq? @html "dangerouslySetInnerHTML"))
((shorthand_property_identifier) @html (#eq? @html "dangerouslySetInnerHTML"))
((string_fragment) @html (#eq? @html "dangerouslySetInnerHTML"))
([(identifier) (property_identifier) (shorthand_property_identifier)] @escaped (#match? @escaped "\\\\\\\\u"))
"""
# Where a name stands for a value that goes elsewhere, so that its later use cannot be seen.
_ALIASES = {"variable_declarator", "assignment_expression", "arguments", "pair", "array", "return_statement",
            "spread_element", "arrow_function", "assignment_pattern"}  # fmt: skip
_SCOPES = {"program", "statement_block", "function_declaration", "function_expression", "arrow_function",
           "method_definition", "for_statement", "for_in_statement", "catch_clause", "class_body"}  # fmt: skip
_BINDINGS = {"required_parameter", "optional_parameter", "import_specifier", "import_clause", "namespace_import",
             "array_pattern", "rest_pattern", "catch_clause"}  # fmt: skip


def examine(file: str, code: bytes, allowed_imports: Sequence[str]) -> list[Finding]:
    """Everything that is wrong with one scene's UTF-8 code, in the order of its lines. Pure."""
    root = _parser().parse(code).root_node
    found = list(_syntax(root)) if root.has_error else []
    exported = False
    imports = 0
    for child in root.children:
        if child.type == "export_statement":
            exported |= _is_default_export(child)
        imports += child.type == "import_statement"
        if child.type in ("import_statement", "export_statement"):
            source = child.child_by_field_name("source")
            if source is not None and not _allowed(_unquoted(source), allowed_imports):
                found.append((source, "import-not-allowed", _not_allowed(_unquoted(source), allowed_imports)))
    if code.count(b"import") > imports or any(word in code for word in _SUSPICIOUS):
        found += _denied(root, allowed_imports)
    findings = [_finding(file, code, node, rule, message) for node, rule, message in found]
    if not exported and not _registers(root, code):
        message = "no component is exported by default or registered: add `export default`"
        findings.append(Finding(file, "no-component", message))
    if len(code) > _LARGE_TEXT:
        findings += [_finding(file, code, *one) for one in _large_texts(root)]
    return sorted(dict.fromkeys(findings), key=lambda one: (one.line or 0, one.column or 0))


def examine_all(scenes: Sequence[tuple[str, bytes]], allowed_imports: Sequence[str]) -> list[Finding]:
    """`examine` for all scenes of a template, for a worker process."""
    return [finding for file, code in scenes for finding in examine(file, code, allowed_imports)]


def severity_of(rule: str) -> Severity:
    """An error rejects the template, a warning is recorded with it."""
    return "warning" if rule in ("import-meta-env", "large-inline-data") else "error"


@cache
def _parser() -> Parser:
    import tree_sitter_typescript
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_typescript.language_tsx()))


@cache
def _query(text: str) -> Query:
    from tree_sitter import Query

    language = _parser().language
    assert language is not None
    return Query(language, text)


def _captures(root: Node, text: str) -> dict[str, list[Node]]:
    from tree_sitter import QueryCursor

    return QueryCursor(_query(text)).captures(root)


def _denied(root: Node, allowed: Sequence[str]) -> Iterator[tuple[Node, str, str]]:
    names = " ".join(f'"{name}"' for name in (*DENIED, *GLOBALS, "require"))
    seen = _captures(root, _LOOKED_AT.replace("{names}", names))
    for node in seen.get("escaped", ()):
        yield node, "escaped-identifier", MESSAGES["escaped-identifier"]
    for node in seen.get("html", ()):
        if node.type != "string_fragment" or _is_key(node):
            yield node, "dangerous-html", MESSAGES["dangerous-html"]
    for node in seen.get("name", ()):
        rule = _name_rule(node)
        if rule is not None:
            yield node, rule, MESSAGES[rule]
    for node in seen.get("member", ()):
        rule = _member_rule(node)
        if rule is not None:
            yield node, rule, MESSAGES[rule]
    for node in seen.get("pattern", ()):
        rule = _pattern_rule(node)
        if rule is not None:
            yield node, rule, MESSAGES[rule]
    for node in seen.get("call", ()):
        yield from _call(node, allowed)


def _name_rule(node: Node) -> str | None:
    """The rule that a bare name breaks; None for a declaration, a type or a name that is declared around it."""
    name, parent = _text(node), node.parent
    if parent is None or _is_type(node) or _binds(node) or _declared_around(node, name):
        return None
    if name in DENIED:
        tested = parent.type == "binary_expression" and name == "Function"
        return None if tested else DENIED[name]
    if name in GLOBALS and parent.type in _ALIASES and not _is_field(node, parent, "name", "left", "key"):
        return None if _picks(parent) else "computed-global"
    return None


def _picks(assignment: Node) -> bool:
    """Whether this is `const { a, b } = …`, where every name that is taken can be read."""
    target = assignment.child_by_field_name("name") or assignment.child_by_field_name("left")
    if target is None or target.type != "object_pattern":
        return False
    return all(child.type != "rest_pattern" for child in target.named_children)


def _member_rule(node: Node) -> str | None:
    target = node.child_by_field_name("object")
    index = node.child_by_field_name("index")
    field = node.child_by_field_name("property")
    if target is None:
        return None
    on = _text(target).rsplit(".", 1)[-1]
    known = target.type in ("identifier", "member_expression")
    of_window = known and on in GLOBALS and not (target.type == "identifier" and _declared_around(target, on))
    if index is not None:
        if index.type != "string":
            return "computed-global" if of_window or (known and on in ("document", "process")) else None
        name = _unquoted(index)
    else:
        name = _text(field) if field is not None else ""
    if of_window and name in DENIED:
        return DENIED[name]
    if known and (on, name) == ("document", "cookie"):
        return "document-cookie"
    if known and (on, name) == ("process", "env"):
        return "process-env"
    if known and (on, name) == ("navigator", "sendBeacon"):
        return "network"
    if target.type == "meta_property" and name == "env":
        return "import-meta-env"
    return None


def _pattern_rule(node: Node) -> str | None:
    """The rule that `const { cookie } = document` breaks."""
    parent = node.parent
    value = parent.child_by_field_name("value") or parent.child_by_field_name("right") if parent else None
    if value is None:
        return None
    on = _text(value).rsplit(".", 1)[-1]
    for child in node.named_children:
        key = child.child_by_field_name("key") or child.child_by_field_name("left") or child
        name = _unquoted(key) if key.type == "string" else _text(key)
        if on in GLOBALS and name in DENIED:
            return DENIED[name]
        if (on, name) in (("document", "cookie"), ("process", "env")):
            return "document-cookie" if on == "document" else "process-env"
    return None


def _call(node: Node, allowed: Sequence[str]) -> Iterator[tuple[Node, str, str]]:
    called = node.child_by_field_name("function") or node.child_by_field_name("constructor")
    given = node.child_by_field_name("arguments")
    first = given.named_children[0] if given is not None and given.named_children else None
    if called is None:
        return
    name = _text(called)
    if called.type == "import" or name == "require":
        module = _unquoted(first) if first is not None and first.type == "string" else None
        if module is None or not _allowed(module, allowed):
            rule = "dynamic-import" if called.type == "import" else "import-not-allowed"
            yield node, rule, MESSAGES["dynamic-import"] if module is None else _not_allowed(module, allowed)
    elif name.rsplit(".", 1)[-1] in ("setTimeout", "setInterval"):
        if first is not None and first.type in ("string", "template_string", "binary_expression"):
            yield node, "string-timer", MESSAGES["string-timer"]
    elif name.endswith(".constructor") and called.type == "member_expression":
        yield node, "function-constructor", MESSAGES["function-constructor"]


def _syntax(root: Node) -> Iterator[tuple[Node, str, str]]:
    shown = 0
    stack = [root]
    while stack and shown < _SYNTAX_SHOWN:
        node = stack.pop()
        if node.is_error or node.is_missing:
            shown += 1
            what = f"{node.type!r} is missing here" if node.is_missing else "the parser cannot follow here"
            yield node, "syntax", f"{what}: it is no TSX, or of a rare kind that has to be written in another way"
        elif node.has_error:
            stack += reversed(node.children)


def _large_texts(root: Node) -> Iterator[tuple[Node, str, str]]:
    for node in _captures(root, "[(string) (template_string)] @text").get("text", ()):
        if node.end_byte - node.start_byte > _LARGE_TEXT:
            size = node.end_byte - node.start_byte
            yield node, "large-inline-data", f"{size:,} bytes of data inside the code: keep them in a file"


def _is_default_export(node: Node) -> bool:
    if any(child.type == "default" for child in node.children):
        return True
    clause = next((child for child in node.children if child.type == "export_clause"), None)
    specifiers = clause.named_children if clause is not None else []
    return any(_text(one.child_by_field_name("alias")) == "default" for one in specifiers)


def _registers(root: Node, code: bytes) -> bool:
    if not re.search(rb"register(Root|Component)|Composition|__REMOTION_COMPONENT", code):
        return False
    seen = _captures(
        root,
        """
        (call_expression function: (identifier) @call (#any-of? @call "registerRoot" "registerComponent"))
        ([(jsx_self_closing_element) (jsx_opening_element)] @tag)
        (assignment_expression left: (member_expression) @target)
        """,
    )
    tags = [_text(node.child_by_field_name("name")) for node in seen.get("tag", ())]
    targets = [_text(node) for node in seen.get("target", ())]
    return bool(seen.get("call")) or "Composition" in tags or any("__REMOTION_COMPONENT" in one for one in targets)


def _is_type(node: Node) -> bool:
    return node.parent is not None and node.parent.type in (
        "type_query",
        "nested_type_identifier",
        "jsx_closing_element",
    )


def _is_key(node: Node) -> bool:
    """Whether the text of a string is an object's key or an index."""
    text = node.parent
    around = text.parent if text is not None else None
    if text is None or around is None:
        return False
    return _is_field(text, around, "key", "index") or around.type == "computed_property_name"


def _binds(node: Node) -> bool:
    """Whether this name is being declared."""
    parent = node.parent
    if parent is None:
        return False
    if parent.type in _BINDINGS:
        return not _is_field(node, parent, "value")
    return (
        parent.type in ("variable_declarator", "function_declaration", "class_declaration", "function_expression")
        and _is_field(node, parent, "name")
    ) or (parent.type == "arrow_function" and _is_field(node, parent, "parameter"))


def _declared_around(node: Node, name: str) -> bool:
    """Whether the name is declared in a scope that the node is in."""
    declared = _captures(_root(node), f'((identifier) @name (#eq? @name "{name}"))').get("name", ())
    scopes = {_scope(one).id for one in declared if _binds(one)}
    around: Node | None = node
    while around is not None and scopes:
        if around.id in scopes:
            return True
        around = around.parent
    return False


def _scope(binding: Node) -> Node:
    """What a declared name is visible in: the function of a parameter, else the block around."""
    node = binding.parent
    assert node is not None
    if node.type in ("function_declaration", "class_declaration") and node.parent is not None:
        node = node.parent
    while node.type not in _SCOPES and node.parent is not None:
        node = node.parent
    return node


def _root(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node


def _is_field(node: Node, parent: Node, *fields: str) -> bool:
    return any(parent.child_by_field_name(field) == node for field in fields)


def _text(node: Node | None) -> str:
    return (node.text or b"").decode() if node is not None else ""


def _unquoted(node: Node) -> str:
    return _text(node)[1:-1]


def _allowed(module: str, allowed: Sequence[str]) -> bool:
    """`react` allows `react` and `react/…`; a name that ends with * allows all that begin so."""
    for name in allowed:
        if name.endswith("*"):
            if module.startswith(name[:-1]) and len(module) > len(name) - 1:
                return True
        elif module == name or module.startswith(f"{name}/"):
            return True
    return False


def _not_allowed(module: str, allowed: Sequence[str]) -> str:
    if module.startswith((".", "/")):
        return f"{module!r} is a file of its project, and a template's scene stands alone: move it into the scene"
    return f"{module!r} is not among the {len(allowed)} allowed packages of the setting snapshots.allowed_imports"


def _finding(file: str, code: bytes, node: Node, rule: str, message: str) -> Finding:
    row, column = node.start_point
    begin = node.start_byte - column
    before = code[begin : node.start_byte].decode(errors="replace").removeprefix("\ufeff")
    return Finding(file, rule, message, severity_of(rule), row + 1, len(before) + 1)
