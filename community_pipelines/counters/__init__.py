"""Cached counters: the truth and the drift, counted in one snapshot of the source (`drift`), the correction with
its ledger (`correct`).

Not here: which rows count, which a platform declares, and the histories that explain counters, which are models.
"""
