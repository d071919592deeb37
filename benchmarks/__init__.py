"""Speed and memory of every stage, as ratios to floors that are measured in the same run (`make bench`).

A floor is the least that any program must do for the same result: PostgreSQL's own COPY, one bare DuckDB query,
the stages without Dagster. Every measurement is a process of its own, floor and stage take turns, medians count.
So a slow or busy machine makes seconds longer and leaves the ratios where they are.

`__main__` chooses and prints, `stages` says what is compared with what, `work` is what runs in the measured
processes, `floors` what they are compared with, `data` makes the two galleries, `processes` starts and measures.
"""
