"""Judging days: a profile of one row per day, computed in one engine pass, judged by Great Expectations.

Which expectations an asset has is written in its platform's `checks.py`.
"""
