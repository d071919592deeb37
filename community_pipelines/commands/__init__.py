"""What people type and see: one file for each command of `community`.

`shared` is what commands have in common, `runs` what those do that run days; `terminal`, `report` and `sql_shell` show
things. Commands are short: they read arguments, call the package, and print. Heavy imports are made where they are
used, so that `--help` answers at once. Not here: what is done, and what Dagster needs for it.
"""
