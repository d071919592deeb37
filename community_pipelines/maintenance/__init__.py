"""Care of monthly partitions: made ahead of time, archived into the lake when they are old, then detached.

`maintain` calls the others. Not here: which tables are partitioned (`platforms/`), and when it runs (`orchestration/`).
"""
