"""How databases are reached: connections, a platform's URLs and its tables by their names there, what a source has
(`inspect`), the numbered SQL files (`migrations`).

Not here: what is read and written, and the local server (`embedded/`).
"""
