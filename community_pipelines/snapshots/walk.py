"""One walk over a scene's tree: everything that it must not do, each node looked at once.

Every name is followed outwards, from where it stands to where its value goes (`window!.document.cookie = …`). Such
ways never share a step, so that all of them together are as long as the code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from time import thread_time
from typing import TYPE_CHECKING

from community_pipelines.snapshots.constants import WRAPPERS, constant, is_text, parts, text_of, unwrapped
from community_pipelines.snapshots.denied import (
    ADDRESSES,
    ELEMENTS,
    GLOBAL_OF,
    HANDLER,
    HTML_METHODS,
    HTML_PROPERTIES,
    HTML_TARGETS,
    KEPT_IN_SIGHT,
    LEADS,
    MAKES_ELEMENTS,
    MESSAGES,
    OF_A_VIEW,
    SCRIPT_ADDRESS,
    SETS_ATTRIBUTES,
    SUBMITS,
    TAKEN_OUT,
)
from community_pipelines.snapshots.scopes import Found, Scopes

if TYPE_CHECKING:
    from tree_sitter import Node

# What is gone when the code runs, or says nothing by itself.
_PASSED_OVER = frozenset(
    ("type_annotation", "type_arguments", "type_parameters", "type_alias_declaration", "interface_declaration",
     "ambient_declaration", "function_signature", "abstract_method_signature", "method_signature", "index_signature",
     "implements_clause", "type_predicate_annotation", "asserts_annotation", "type_query", "comment", "html_comment",
     "jsx_text", "jsx_closing_element", "regex", "number", "statement_identifier", "string", "string_fragment",
     "escape_sequence", "html_character_reference", "property_identifier", "private_property_identifier",
     "type_identifier", "true", "false", "null", "undefined", "this", "super")
)  # fmt: skip
_FUNCTIONS = frozenset(
    ("function_declaration", "generator_function_declaration", "function_expression", "generator_function",
     "arrow_function", "method_definition")
)  # fmt: skip
_DECLARED_FUNCTIONS = frozenset(("function_declaration", "generator_function_declaration"))
_PATTERNS = frozenset(
    (
        "object_pattern",
        "array_pattern",
        "rest_pattern",
        "pair_pattern",
        "assignment_pattern",
        "object_assignment_pattern",
    )
)
_ASSIGNMENTS = frozenset(("assignment_expression", "augmented_assignment_expression"))
_CONDITIONS = frozenset(("if_statement", "while_statement", "do_statement"))
_TYPES = frozenset(
    ("interface_declaration", "type_alias_declaration", "ambient_declaration", "function_signature", "import_alias")
)
_COMPARISONS = frozenset(("===", "!==", "==", "!=", "in", "instanceof", "<", ">", "<=", ">="))
# Where something of the right is taken apart on the left.
_GIVEN = {
    "variable_declarator": ("name", "value"),
    "required_parameter": ("pattern", "value"),
    "optional_parameter": ("pattern", "value"),
    "assignment_expression": ("left", "right"),
    "assignment_pattern": ("left", "right"),
}
_CLOCK_EVERY = 256


class TooSlow(Exception):
    """The budget of time is spent."""


def in_time(nodes: Iterable[Node], until: float) -> Iterator[Node]:
    """The same nodes. Raises TooSlow when the thread's clock shows more than `until`."""
    for number, node in enumerate(nodes):
        if number % _CLOCK_EVERY == 0 and thread_time() > until:
            raise TooSlow
        yield node


class _Place:
    """A node and the way up from it. The tree's own way up begins at its root each time."""

    __slots__ = ("kind", "node", "up")

    def __init__(self, node: Node, up: _Place | None) -> None:
        self.node = node
        self.kind = node.type
        self.up = up


class Walk:
    """A walk over one scene. `visited` counts its steps."""

    def __init__(self, code: bytes, refuse_import: Callable[[str], str | None], until: float) -> None:
        self.visited = 0
        self._code = code
        self._refuse_import = refuse_import
        self._until = until
        self._scopes = Scopes()
        self._found: list[Found] = []
        self._waiting: list[_Place | Callable[[], object]] = []
        # Whether `this` is an object of the class around, in each function and class that is open.
        self._of_class = [False]
        self._escapes = b"\\u" in code

    def run(self, root: Node) -> list[Found]:
        """What is found, in no order. Raises TooSlow when the thread's clock shows more than `until`."""
        # The root of what does not parse is no program.
        self._scopes.enter()
        self._waiting.append(_Place(root, None))
        while self._waiting:
            step = self._waiting.pop()
            if not isinstance(step, _Place):
                step()
                continue
            self._count()
            handler = _HANDLERS.get(step.kind)
            if handler is None:
                self._push(step, step.node.named_children)
            else:
                handler(self, step)
        self._scopes.leave()
        return [*self._found, *self._scopes.undeclared()]

    def _count(self) -> None:
        self.visited += 1
        if self.visited % _CLOCK_EVERY == 0 and thread_time() > self._until:
            raise TooSlow

    def _push(self, up: _Place, nodes: Iterable[Node | None]) -> None:
        places = [_Place(node, up) for node in nodes if node is not None]
        self._waiting += [one for one in reversed(places) if one.kind not in _PASSED_OVER]

    def _text(self, node: Node | None) -> str:
        return "" if node is None else text_of(self._code, node)

    def _find(self, node: Node, rule: str, message: str = "", name: str = "") -> None:
        """Notes a finding, one about a name until it turns out to be declared."""
        found = Found(node.start_byte, rule, message or MESSAGES[rule])
        if name:
            self._scopes.refer(name, found)
        else:
            self._found.append(found)

    # Scopes and declarations

    def _scope(self, place: _Place, nodes: Iterable[Node | None], takes_vars: bool = False) -> None:
        self._scopes.enter(takes_vars)
        self._waiting.append(self._scopes.leave)
        self._push(place, nodes)

    def _block(self, place: _Place) -> None:
        around = place.up.kind if place.up is not None else ""
        takes_vars = around in _FUNCTIONS or around in ("class_static_block", "internal_module", "module")
        self._scope(place, place.node.named_children, takes_vars)

    def _declare(self, name: Node | None, var: bool = False) -> None:
        """Notes the one name of a declaration."""
        text = self._text(name)
        if name is not None and self._escapes:
            self._escaped(name)
        if text in LEADS["global"]:
            self._scopes.declare(text, var)

    def _pattern(self, place: _Place, var: bool = False) -> None:
        """Declares the names of a pattern; what is computed in it waits for the walk."""
        waiting = [place]
        while waiting:
            at = waiting.pop()
            self._count()
            node, kind = at.node, at.kind
            if kind in ("identifier", "shorthand_property_identifier_pattern"):
                self._declare(node, var)
            elif kind in ("required_parameter", "optional_parameter"):
                self._push(at, [one for one in node.named_children if one.type == "decorator"])
                self._push(at, [node.child_by_field_name("value")])
                waiting += _places(at, [node.child_by_field_name("pattern")])
            elif kind in ("assignment_pattern", "object_assignment_pattern"):
                self._push(at, [node.child_by_field_name("right")])
                waiting += _places(at, [node.child_by_field_name("left")])
            elif kind == "pair_pattern":
                self._pattern_key(at)
                waiting += _places(at, [node.child_by_field_name("value")])
            elif kind in _PATTERNS:
                waiting += _places(at, node.named_children)
            if kind == "shorthand_property_identifier_pattern":
                self._taken_out(node)

    def _pattern_key(self, place: _Place) -> None:
        key = place.node.child_by_field_name("key")
        if key is not None:
            self._taken_out(key)
        if key is not None and key.type == "computed_property_name":
            self._push(place, [key])

    def _taken_out(self, key: Node) -> None:
        name = self._key(key)
        if name in TAKEN_OUT:
            self._find(key, TAKEN_OUT[name])

    def _function(self, place: _Place) -> None:
        node = place.node
        name = node.child_by_field_name("name")
        if node.type in _DECLARED_FUNCTIONS:
            self._declare(name)
        self._waiting.append(partial(self._inside_function, place, name))
        outside = [child for child in node.named_children if child.type == "decorator"]
        # A computed name is none of the function's own scope.
        self._push(place, [*outside, name if name is not None and name.type == "computed_property_name" else None])

    def _inside_function(self, place: _Place, name: Node | None) -> None:
        node = place.node
        if place.kind != "arrow_function":
            self._enter_this(_is_of_object(place))
        self._scopes.enter()
        if node.type in ("function_expression", "generator_function"):
            self._declare(name)
        self._waiting.append(self._scopes.leave)
        self._push(place, [node.child_by_field_name("body")])
        given = node.child_by_field_name("parameters") or node.child_by_field_name("parameter")
        if given is not None:
            for one in [given] if given.type == "identifier" else given.named_children:
                self._pattern(_Place(one, place))

    def _enter_this(self, of_class: bool) -> None:
        self._of_class.append(of_class)
        self._waiting.append(self._of_class.pop)

    def _class(self, place: _Place) -> None:
        self._enter_this(False)
        name = place.node.child_by_field_name("name")
        if place.kind != "class":
            self._declare(name)
        self._scope(place, [child for child in place.node.named_children if child.type != "type_identifier"])
        if place.kind == "class":
            self._declare(name)

    def _variable(self, place: _Place) -> None:
        var = place.up is not None and place.up.kind == "variable_declaration"
        name = place.node.child_by_field_name("name")
        self._push(place, [place.node.child_by_field_name("value")])
        if name is not None:
            self._pattern(_Place(name, place), var)

    def _for_in(self, place: _Place) -> None:
        node = place.node
        kind, left = node.child_by_field_name("kind"), node.child_by_field_name("left")
        rest = [node.child_by_field_name("right"), node.child_by_field_name("body")]
        self._scope(place, rest if kind is not None else [left, *rest])
        if kind is not None and left is not None:
            self._pattern(_Place(left, place), self._text(kind) == "var")

    def _catch(self, place: _Place) -> None:
        given = place.node.child_by_field_name("parameter")
        self._scope(place, [place.node.child_by_field_name("body")])
        if given is not None:
            self._pattern(_Place(given, place))

    def _enum(self, place: _Place) -> None:
        self._declare(place.node.child_by_field_name("name"))
        body = place.node.child_by_field_name("body")
        members = parts(body) if body is not None else []
        values = [one.child_by_field_name("value") for one in members]
        self._scope(place, values)
        for one in members:
            self._declare(one.child_by_field_name("name") or one)

    def _namespace(self, place: _Place) -> None:
        # One of nothing but types is gone when the code runs.
        body = place.node.child_by_field_name("body")
        kept = [one for one in (parts(body) if body is not None else []) if not _is_type(one)]
        if kept:
            self._declare(place.node.child_by_field_name("name"))
        self._push(place, [body])

    def _import(self, place: _Place) -> None:
        if _has(place.node, "type"):
            return
        for clause in place.node.named_children:
            if clause.type == "import_require_clause":
                self._declare(clause.named_children[0])
            elif clause.type == "import_clause":
                for one in clause.named_children:
                    if one.type == "identifier":
                        self._declare(one)
                    elif one.type == "namespace_import":
                        self._declare(one.named_children[-1])
                    else:
                        self._imported(one, place.node.child_by_field_name("source"), "import_specifier")

    def _imported(self, names: Node, source: Node | None, kind: str) -> None:
        """The names that an import takes from a module, or an export hands on."""
        module = constant(self._code, source)[0] if source is not None else ""
        for one in names.named_children:
            name = one.child_by_field_name("name")
            if one.type != kind or name is None or _has(one, "type"):
                continue
            if self._escapes and name.type == "identifier":
                self._escaped(name)
            if kind == "import_specifier":
                self._declare(one.child_by_field_name("alias") or name)
            if self._key(name) == "IFrame" and module.partition("/")[0] == "remotion":
                self._find(one, "embedded-content")

    def _import_alias(self, place: _Place) -> None:
        name, *target = parts(place.node)
        self._declare(name)
        self._push(place, target)

    def _export(self, place: _Place) -> None:
        source = place.node.child_by_field_name("source")
        if _has(place.node, "type"):
            return
        if source is None:
            self._push(place, place.node.named_children)
        for clause in place.node.named_children if source is not None else ():
            self._imported(clause, source, "export_specifier")

    def _exported(self, place: _Place) -> None:
        if not _has(place.node, "type"):
            self._push(place, [place.node.child_by_field_name("name")])

    # Names and where their values go

    def _escaped(self, node: Node) -> None:
        if b"\\" in self._code[node.start_byte : node.end_byte]:
            self._find(node, "escaped-identifier")

    def _identifier(self, place: _Place) -> None:
        if self._escapes:
            self._escaped(place.node)
        name = self._text(place.node)
        if name in LEADS["global"]:
            self._follow(place, LEADS["global"][name], name)
        elif name in HTML_PROPERTIES and place.kind == "shorthand_property_identifier":
            self._find(place.node, "dangerous-html")
        elif name in TAKEN_OUT and place.kind == "shorthand_property_identifier_pattern":
            self._taken_out(place.node)

    def _nested(self, place: _Place) -> None:
        """`a.b.c` of an import alias, which is written as a type."""
        root = place.node
        while root.type == "nested_identifier":
            self._count()
            root = root.named_children[0]
        name = self._text(root)
        if name in LEADS["global"]:
            self._find(root, "computed-global", name=name)

    def _follow(self, place: _Place, state: str, name: str) -> None:
        """Where the value of a name goes; `state` is what it is: an object of `LEADS`, or a rule that it breaks."""
        begin = place.node
        while True:
            if state in MESSAGES:
                if not self._is_tested(place):
                    self._find(place.node, state, name=name)
                return
            up = place.up
            if up is None:
                return
            self._count()
            if _is_wrapper(up, place):
                place = up
            elif up.kind in ("member_expression", "subscript_expression") and _is(up.node, "object", place.node):
                led = self._led(up.node, state)
                if led is None:
                    return
                place, state = up, led
            else:
                self._used(begin, place, up, state, name)
                return

    def _led(self, member: Node, state: str) -> str | None:
        """What a member of that object is: another object, a rule that it breaks, or nothing of interest."""
        if state not in LEADS:
            # `setTimeout.call`
            return KEPT_IN_SIGHT.get(state)
        prop = self._property(member)
        if prop is None:
            index = member.child_by_field_name("index")
            if index is not None and index.type == "number":
                return "global" if state == "global" else None
            return "computed-global"
        return LEADS[state].get(prop, "part of location" if state == "location" else None)

    def _used(self, begin: Node, place: _Place, up: _Place, state: str, name: str) -> None:
        node, around = place.node, up.node
        if self._is_assigned(place):
            if state in ("location", "part of location"):
                self._find(node, "navigation", name=name)
            return
        if around.type in ("call_expression", "new_expression"):
            called = around.child_by_field_name("function") or around.child_by_field_name("constructor")
            if called == node:
                self._called(around, state, name)
                return
        fields = _GIVEN.get(around.type)
        if fields is not None and _is(around, fields[1], node):
            target = around.child_by_field_name(fields[0])
            if target is not None and target.type == "object_pattern":
                self._taken_apart(begin, state, target, name)
                return
        if state == "require" and not self._is_tested(place):
            self._find(node, "import-not-allowed", MESSAGES["dynamic-import"], name)
        elif state in KEPT_IN_SIGHT and around.type != "expression_statement" and not self._is_tested(place):
            self._find(begin, KEPT_IN_SIGHT[state], name=name)

    def _taken_apart(self, begin: Node, state: str, pattern: Node, name: str) -> None:
        """`const { eval: run } = window`."""
        waiting = [(state, pattern)]
        while waiting:
            state, pattern = waiting.pop()
            for child in parts(pattern):
                self._count()
                key = child.child_by_field_name("key") or child.child_by_field_name("left") or child
                target = _target(child.child_by_field_name("value"))
                prop = None if child.type == "rest_pattern" else self._key(key)
                led = "computed-global" if prop is None else LEADS.get(state, {}).get(prop)
                if led is None or state not in LEADS:
                    continue
                if led in MESSAGES:
                    self._find(begin if led == "computed-global" else pattern, led, name=name)
                elif led in KEPT_IN_SIGHT and target is not None and target.type == "object_pattern":
                    waiting.append((led, target))
                elif led in KEPT_IN_SIGHT:
                    self._find(begin, KEPT_IN_SIGHT[led], name=name)

    def _called(self, call: Node, state: str, name: str) -> None:
        first = _argument(call, 0)
        if state == "timer":
            given = first or call.child_by_field_name("arguments")
            if given is not None and (given.type == "spread_element" or is_text(given)):
                self._find(call, "string-timer", name=name)
        elif state == "require":
            self._module(call, first, "import-not-allowed", name)

    def _module(self, call: Node, first: Node | None, rule: str, name: str = "") -> None:
        if first is None or first.type != "string":
            self._find(call, rule, MESSAGES["dynamic-import"], name)
            return
        message = self._refuse_import(constant(self._code, first)[0])
        if message is not None:
            self._find(call, rule, message, name)

    def _is_tested(self, place: _Place) -> bool:
        """Whether it is only asked what the value is, or whether there is one."""
        up = place.up
        while up is not None and _is_wrapper(up, place):
            self._count()
            place, up = up, up.up
        if up is None:
            return False
        around, node = up.node, place.node
        if around.type == "unary_expression":
            return self._text(around.child_by_field_name("operator")) in ("typeof", "!", "void")
        if around.type == "binary_expression":
            operator = self._text(around.child_by_field_name("operator"))
            return operator in _COMPARISONS or (operator == "&&" and _is(around, "left", node))
        if around.type == "ternary_expression":
            return _is(around, "condition", node)
        return around.type in _CONDITIONS

    def _is_assigned(self, place: _Place) -> bool:
        up = place.up
        if up is None:
            return False
        around, node = up.node, place.node
        if around.type in _ASSIGNMENTS or around.type in ("for_in_statement", "assignment_pattern"):
            return _is(around, "left", node)
        if around.type == "pair_pattern":
            return _is(around, "value", node)
        return around.type == "update_expression" or around.type in _PATTERNS

    # Members, calls, markup

    def _property(self, member: Node) -> str | None:
        """The name of what is taken of an object; None where it is computed."""
        index = member.child_by_field_name("index")
        if index is None:
            return self._text(member.child_by_field_name("property"))
        text, whole = constant(self._code, index)
        return text if whole else None

    def _key(self, key: Node) -> str | None:
        """The name of a property; None where it is computed."""
        if key.type == "computed_property_name":
            inside = parts(key)
            text, whole = constant(self._code, inside[0]) if inside else ("", False)
            return text if whole else None
        return constant(self._code, key)[0] if key.type == "string" else self._text(key)

    def _member(self, place: _Place) -> None:
        node = place.node
        field = node.child_by_field_name("property")
        index = node.child_by_field_name("index")
        target = node.child_by_field_name("object")
        self._push(place, [target, index])
        if field is not None and self._escapes:
            self._escaped(field)
        name = self._property(node)
        if name == "constructor":
            self._constructor(place, target)
        elif name in HTML_METHODS:
            self._find(field or index or node, "dangerous-html")
        elif name == "IFrame":
            self._find(node, "embedded-content")
        elif name in HTML_TARGETS and self._is_assigned(_out(place)):
            self._find(node, "dangerous-html")
        elif name in ADDRESSES:
            self._address(node, _given(_out(place)))
        elif name in GLOBAL_OF:
            self._follow(place, GLOBAL_OF[name], "")
        elif name in OF_A_VIEW and target is not None and self._is_view(target):
            self._follow(place, LEADS["global"][name], "")
        elif name == "env" and target is not None and target.type == "meta_property":
            self._find(node, "import-meta-env")
        elif name is not None and HANDLER.fullmatch(name):
            given = _given(_out(place))
            if given is not None and is_text(given):
                self._find(node, "dangerous-html")

    def _is_view(self, node: Node) -> bool:
        node = unwrapped(node)
        return node.type in ("member_expression", "subscript_expression") and self._property(node) == "view"

    def _constructor(self, place: _Place, target: Node | None) -> None:
        """The constructor of a function is `Function`: fine to compare or to name, not to call or to keep.

        That of an object of a class is the class: `new this.constructor()` makes another one.
        """
        out = _out(place)
        up = out.up.node if out.up is not None else None
        if up is not None and up.type in ("member_expression", "subscript_expression") and _is(up, "object", out.node):
            if self._property(up) not in ("constructor", "call", "apply", "bind", None):
                return
        elif self._is_tested(out):
            return
        elif self._of_class[-1] and target is not None and unwrapped(target).type == "this":
            called = up is not None and up.type == "call_expression" and _is(up, "function", out.node)
            if not called:
                return
        self._find(place.node, "function-constructor")

    def _address(self, at: Node, value: Node | None, in_markup: bool = False) -> None:
        if value is not None:
            text = constant(self._code, value, in_markup)[0]
            # A browser leaves out what is not to be seen, and so would hide it.
            if SCRIPT_ADDRESS.match(re.sub(r"[\x00-\x20]+", "", text)):
                self._find(at, "script-address")

    def _call(self, place: _Place) -> None:
        node = place.node
        called = node.child_by_field_name("function") or node.child_by_field_name("constructor")
        self._push(place, [called, node.child_by_field_name("arguments")])
        if called is None:
            return
        if called.type == "import":
            self._module(node, _argument(node, 0), "dynamic-import")
            return
        plain = unwrapped(called)
        member = plain.type in ("member_expression", "subscript_expression")
        name = self._property(plain) if member else self._text(plain) if plain.type == "identifier" else None
        if name in MAKES_ELEMENTS:
            given = _argument(node, MAKES_ELEMENTS[name])
            text = constant(self._code, given) if given is not None else ("", False)
            if text[1] and _brings_in(text[0]):
                self._find(node, "embedded-content")
        elif name in SETS_ATTRIBUTES:
            self._attribute_set(node, SETS_ATTRIBUTES[name])

    def _attribute_set(self, call: Node, place: int) -> None:
        given = _argument(call, place)
        name = constant(self._code, given)[0].lower() if given is not None else ""
        if name in ("srcdoc",) or name.startswith("on"):
            self._find(call, "dangerous-html")
        elif name in ADDRESSES:
            self._address(call, _argument(call, place + 1))

    def _pair(self, place: _Place) -> None:
        key, value = place.node.child_by_field_name("key"), place.node.child_by_field_name("value")
        self._push(place, [key if key is not None and key.type == "computed_property_name" else None, value])
        name = self._key(key) if key is not None else None
        if key is not None and self._escapes and key.type == "property_identifier":
            self._escaped(key)
        if key is not None and name in HTML_PROPERTIES:
            self._find(key, "dangerous-html")
        elif key is not None and name in ADDRESSES:
            self._address(key, value)

    def _pair_pattern(self, place: _Place) -> None:
        self._pattern_key(place)
        self._push(place, [place.node.child_by_field_name("value")])

    def _element(self, place: _Place) -> None:
        name = place.node.child_by_field_name("name")
        attributes = place.node.children_by_field_name("attribute")
        self._push(place, attributes)
        if name is None:
            return
        tag = self._name_of(name)
        # React takes what begins with a small letter for an element of HTML.
        if name.type != "jsx_namespace_name" and (name.type != "identifier" or not (tag[:1].islower() or "-" in tag)):
            self._push(place, [name])
        elif _brings_in(tag):
            self._find(name, "embedded-content")

    def _name_of(self, node: Node) -> str:
        """The name of an element or attribute; that of a namespace may have blanks in it."""
        return ":".join(map(self._text, parts(node))) if node.type == "jsx_namespace_name" else self._text(node)

    def _attribute(self, place: _Place) -> None:
        name, *values = parts(place.node)
        self._push(place, values)
        text = self._name_of(name)
        value = values[0] if values else None
        if text in HTML_PROPERTIES:
            self._find(name, "dangerous-html")
        elif (text in SUBMITS or (text == "action" and self._is_form(place))) and _is_written(value):
            self._find(name, "navigation")
        elif text in ADDRESSES:
            self._address(name, value, in_markup=True)

    def _is_form(self, attribute: _Place) -> bool:
        return attribute.up is not None and self._text(attribute.up.node.child_by_field_name("name")) == "form"

    def _expression_of(self, place: _Place) -> None:
        """`… as T` and `… satisfies T`, whose types are passed over."""
        self._push(place, parts(place.node)[:1])


def _places(up: _Place, nodes: Iterable[Node | None]) -> list[_Place]:
    return [_Place(node, up) for node in nodes if node is not None]


def _is(around: Node, field: str, node: Node) -> bool:
    return around.child_by_field_name(field) == node


def _has(node: Node, word: str) -> bool:
    return any(child.type == word for child in node.children)


def _is_type(node: Node) -> bool:
    declared = node.child_by_field_name("declaration") if node.type == "export_statement" else node
    return declared is not None and declared.type in _TYPES


def _is_wrapper(up: _Place, place: _Place) -> bool:
    """Whether the value of the node around is that of the node; `a && b` is b where it is anything."""
    around = up.node
    if around.type != "binary_expression":
        return around.type in WRAPPERS
    operator = around.child_by_field_name("operator")
    return operator is not None and operator.type == "&&" and _is(around, "right", place.node)


def _out(place: _Place) -> _Place:
    """The outermost node of the same value."""
    while place.up is not None and _is_wrapper(place.up, place):
        place = place.up
    return place


def _given(place: _Place) -> Node | None:
    """What is assigned to it."""
    around = place.up.node if place.up is not None else None
    if around is None or around.type not in _ASSIGNMENTS or not _is(around, "left", place.node):
        return None
    return around.child_by_field_name("right")


def _is_written(value: Node | None) -> bool:
    """Whether an attribute is a text; React takes a function for what a form does."""
    if value is not None and value.type == "jsx_expression":
        value = next(iter(parts(value)), None)
    return value is not None and is_text(value)


def _is_of_object(function: _Place) -> bool:
    """Whether it is a method of a class's objects."""
    of_class = function.up is not None and function.up.kind == "class_body"
    return of_class and not _has(function.node, "static")


def _brings_in(name: str) -> bool:
    return name.rpartition(":")[2].lower() in ELEMENTS


def _target(value: Node | None) -> Node | None:
    """What a part of a pattern is given to, without its default."""
    return value.child_by_field_name("left") if value is not None and value.type == "assignment_pattern" else value


def _argument(call: Node, place: int) -> Node | None:
    given = call.child_by_field_name("arguments")
    arguments = parts(given) if given is not None and given.type == "arguments" else []
    return arguments[place] if place < len(arguments) else None


_HANDLERS: dict[str, Callable[[Walk, _Place], None]] = {
    "statement_block": Walk._block,
    "switch_body": Walk._block,
    "for_statement": Walk._block,
    "for_in_statement": Walk._for_in,
    "catch_clause": Walk._catch,
    **dict.fromkeys(_FUNCTIONS, Walk._function),
    **dict.fromkeys(("class_declaration", "abstract_class_declaration", "class"), Walk._class),
    "variable_declarator": Walk._variable,
    "enum_declaration": Walk._enum,
    "internal_module": Walk._namespace,
    "module": Walk._namespace,
    "import_statement": Walk._import,
    "import_alias": Walk._import_alias,
    "nested_identifier": Walk._nested,
    "export_statement": Walk._export,
    "export_specifier": Walk._exported,
    "identifier": Walk._identifier,
    "shorthand_property_identifier": Walk._identifier,
    "shorthand_property_identifier_pattern": Walk._identifier,
    "member_expression": Walk._member,
    "subscript_expression": Walk._member,
    "call_expression": Walk._call,
    "new_expression": Walk._call,
    "pair": Walk._pair,
    "pair_pattern": Walk._pair_pattern,
    "jsx_opening_element": Walk._element,
    "jsx_self_closing_element": Walk._element,
    "jsx_attribute": Walk._attribute,
    "as_expression": Walk._expression_of,
    "satisfies_expression": Walk._expression_of,
}
