"""What is done to a day: the steps of a platform's flow, the window of days that one run works on, the plan.

Steps are short shells around `lake/`, `models/`, `counters/` and `quality/`; `flows` says which ones a platform has, in
which order. Not here: what Dagster makes of it (`orchestration/`); results are plain data (`steps`).
"""
