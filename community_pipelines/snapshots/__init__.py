"""Template snapshots: frozen copies of projects' scenes in the gallery.

Read `project` for what is copied, `source` and `exports` for where from, `tsx` and `wording` for what may be
published, `ingest` for how it is written. The command line and the Dagster job only call `ingest`.
"""
