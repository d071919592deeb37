"""Judging days: a profile of one row per day, computed in one engine pass, judged by Great Expectations; days that
are withheld; every row accounted for, every file verified.

Not here: what is expected of an asset, which its platform and its contract say.
"""
