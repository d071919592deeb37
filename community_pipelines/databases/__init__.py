"""How databases are reached: connections, a platform's URLs and tables by their names there (`deployment`), what a
source has (`inspect`), our own tables (`migrations`).

Not here: which rows are read and written, and the local server (`embedded/`).
"""
