"""The commands of `community`: `work` changes something, `look` only looks, `plumbing` is what they share; and how
what they say is shown (`terminal`, `report`, `sql_shell`).

Commands are short: they read arguments, call the package, and print. Heavy imports are made where they are used, so
that `--help` answers at once.
"""
