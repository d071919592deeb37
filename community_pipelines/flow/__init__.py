"""The steps of a platform's daily flow, and the window of days that one run works on.

Steps are short shells around `lake/`, `models/`, `counters/` and `quality/`; which ones a platform has, and in
which order, is written in its `assets.py`.
"""
