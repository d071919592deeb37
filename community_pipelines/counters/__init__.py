"""Cached counters: the truth and the drift, counted in one snapshot of the source (`drift`), the correction with
its ledger (`correct`).

Which rows count is declared in a platform's `spec.py`.
"""
