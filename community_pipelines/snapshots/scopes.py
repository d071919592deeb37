"""Which names of a scene are its own: scopes by JavaScript's rules, as the walk enters and leaves them.

A name may be declared after it is used, so that a finding about a name waits until the scopes around it are left. Each
is looked at once more then, whatever the nesting. Types declare no values; who calls this passes over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Found:
    """A rule that is broken at a byte of the code."""

    at: int
    rule: str
    message: str


@dataclass
class _Scope:
    """`begin` is how many findings waited when it was entered; `var` declares in `of_vars`."""

    begin: int
    of_vars: _Scope | None
    names: set[str] = field(default_factory=set)


class Scopes:
    """The scopes around one place of a walk, and the findings about names that nothing has declared yet."""

    def __init__(self) -> None:
        self._open: list[_Scope] = []
        self._waiting: dict[str, list[tuple[int, Found]]] = {}
        self._number = 0

    def enter(self, takes_vars: bool = False) -> None:
        """Begins a scope: that of a block, or that of a function's body, which `var` declares in."""
        scope = _Scope(self._number, self._open[-1].of_vars if self._open else None)
        if takes_vars or scope.of_vars is None:
            scope.of_vars = scope
        self._open.append(scope)

    def declare(self, name: str, var: bool = False) -> None:
        """Notes a name of the innermost scope, or of the function around it."""
        scope = self._open[-1]
        ((scope.of_vars or scope) if var else scope).names.add(name)

    def refer(self, name: str, found: Found) -> None:
        """Notes what is wrong with a use of a name unless something around it declares the name."""
        self._number += 1
        self._waiting.setdefault(name, []).append((self._number, found))

    def leave(self) -> None:
        """Ends the innermost scope: what was said in it of the names that it declares was said of nothing global."""
        scope = self._open.pop()
        for name in scope.names:
            waiting = self._waiting.get(name, [])
            while waiting and waiting[-1][0] > scope.begin:
                waiting.pop()

    def undeclared(self) -> Iterator[Found]:
        """What was said of names that no scope has declared."""
        for waiting in self._waiting.values():
            for _, found in waiting:
                yield found
