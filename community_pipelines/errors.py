"""What is said to people instead of a traceback."""

from __future__ import annotations


class ExplainedError(Exception):
    """An error whose message is a sentence for people: what happened, to which platform, day and table, and what to do
    next. Any other error that ends a command is a fault of this program, and shows its traceback."""
