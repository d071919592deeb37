"""A day is a file: paths, footers, atomic replacement (`files`), and the copy of a source day (`extract`).

Not here: what is in the files; platforms declare streams, models have contracts.
"""
