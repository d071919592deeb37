"""The pages of `docs/` that are generated: the data dictionary and the flow. A test fails when one is stale.

Here: how a page is laid out. Not here: what is said of a table, a column or a check; that is declared where it is.
"""
