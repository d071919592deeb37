"""Template snapshots: frozen copies of projects' scenes in the gallery of a platform that declares one.

Read `project` for what is copied, `source` and `exports` for where from, `tsx` and `wording` for what may be
published, `ingest` for how it is written. What a scene must not do is in `denied`, how that is found in `walk` and
`scopes`. The command line and the Dagster job only call `ingest`. Not here: snapshots of a database, in which all is
read (`databases/`).
"""
