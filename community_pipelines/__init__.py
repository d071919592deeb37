"""Community pipelines. The map of the house, from the ground up; each folder says what belongs there.

The base (`errors`, `private`, `shipped`, `settings`) and `platforms/` (what a platform is); `databases/`, `embedded/`
and `lake/` (where data is); `models/`, `quality/`, `counters/`, `snapshots/`, `maintenance/` (what is made of it);
`flow/` (what is done to a day); `orchestration/` (how Dagster runs it); `samples/` (generated communities);
`commands/`, `doctor/`, `pages/` (what people type and see); `cli` is the door.
"""
