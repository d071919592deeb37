"""Texts that code is made with: what a string, a template or a sum of them says, escapes and entities read. Pure."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

# These stand around an expression and leave its value as it is.
WRAPPERS = frozenset(("parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"))
_TEXTS = frozenset(("string", "template_string"))
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]+)\}|([0-7]{1,3})|(\r\n|[\n\r\u2028\u2029])|(.))",
    re.DOTALL,
)


def text_of(code: bytes, node: Node) -> str:
    """What stands in the code."""
    return code[node.start_byte : node.end_byte].decode(errors="replace")


def parts(node: Node) -> list[Node]:
    """The children that mean something: no punctuation, no comments."""
    return [child for child in node.named_children if child.type not in ("comment", "html_comment")]


def unwrapped(node: Node) -> Node:
    """The expression inside of parentheses, `as …`, `satisfies …` and `!`."""
    while node.type in WRAPPERS:
        inside = parts(node)
        if not inside:
            break
        node = inside[0]
    return node


def constant(code: bytes, node: Node, in_markup: bool = False) -> tuple[str, bool]:
    """What the text of an expression begins with, and whether that is all of it; ("", False) for what is no text."""
    said = []
    waiting = [node]
    while waiting:
        node = unwrapped(waiting.pop())
        if node.type == "string":
            inside = text_of(code, node)[1:-1]
            said.append(html.unescape(inside) if in_markup else _unescaped(inside))
        elif node.type == "template_string":
            waiting += reversed([child for child in node.children if child.is_named])
        elif node.type in ("string_fragment", "escape_sequence"):
            said.append(_unescaped(text_of(code, node)))
        elif node.type == "template_substitution" or (node.type == "binary_expression" and _is_sum(node)):
            waiting += reversed(parts(node))
        elif node.type == "jsx_expression" and in_markup:
            in_markup = False
            waiting += reversed(parts(node))
        else:
            return "".join(said), False
    return "".join(said), True


def is_text(node: Node) -> bool:
    """Whether an expression is written as a text, or as a sum that becomes one."""
    node = unwrapped(node)
    return node.type in _TEXTS or (node.type == "binary_expression" and _is_sum(node))


def _is_sum(node: Node) -> bool:
    operator = node.child_by_field_name("operator")
    return operator is not None and operator.type == "+"


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(found: re.Match[str]) -> str:
    byte, four, many, octal, line, other = found.groups()
    if line:
        return ""
    if octal:
        return chr(int(octal, 8))
    if other:
        return _SHORT.get(other, other)
    code = int(byte or four or many, 16)
    return chr(code) if code < 0x110000 else ""
