"""How databases are reached: connections, a platform's URLs and tables by their names there (`deployment`), what a
source has (`inspect`), the numbered SQL files (`migrations`).

Not here: which rows are read and written, and the local server (`embedded/`).
"""
