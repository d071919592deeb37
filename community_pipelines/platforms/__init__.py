"""The platforms, a folder each: `spec.py` (facts), `assets.py` (the flow), `checks.py` (suites).

`spec.py` here explains every fact that a platform declares. Where its databases are is in `databases/`.
What all platforms share is not here but in `lake/`, `models/`, `quality/` and `counters/`.
"""
