"""A day is a file: paths, footers, atomic replacement (`files`), and the copy of a source day (`extract`).

What is in the files is not decided here: platforms declare streams, models have contracts.
"""
