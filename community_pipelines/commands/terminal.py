"""How anything is printed on a terminal. What is data is text: it is never markup, an emoji's name or a command.

The only maker of Rich's consoles; ruff forbids others. Not here: what is said (`report`).
"""

from __future__ import annotations

import unicodedata
from typing import Any

from rich.console import Console
from rich.text import Text

# A terminal obeys control characters, and the last ones reorder what is read. Line ends and tabs are layout.
_OBEYED = [chr(code) for code in range(0xA0) if unicodedata.category(chr(code)) == "Cc" and chr(code) not in "\n\t"]
_REORDERS = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
_SHOWN = str.maketrans({one: ascii(one)[1:-1] for one in (*_OBEYED, *_REORDERS)})


def as_text(text: str) -> str:
    """The text with what a terminal would obey shown instead."""
    return text.translate(_SHOWN)


class TextConsole(Console):
    """A console that shows every string as it is, wherever it stands: in a line, in a table, in a title."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as Rich draws it; what a terminal would obey is shown instead."""
        return super().render_str(as_text(text), **options)
