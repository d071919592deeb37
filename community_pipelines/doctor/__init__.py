"""Looks at databases, lake and machine and says what to do; changes nothing.

Here: one module for each thing that is looked at; `examine.py` calls them all. Not here: printing (`commands/`), and
the errors that a run itself raises.
"""
