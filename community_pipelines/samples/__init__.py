"""Generated communities: what `run` and `sample` load into empty embedded databases, as large and as odd as real ones.

Here: what every sample needs (when and who, popularity, visits, words, drift of counters, writing) in these modules,
what makes a platform's community its own in its folder, words and SQL as files beside it. Not here: anything that
works on somebody's true data. Nothing but commands, tests and benchmarks imports this package.

A sample for a new platform:
1. Make the folder `samples/<platform>/` with an `__init__.py` and a `sample.py`.
2. There, subclass `Size` (`spec`): a field for each number, with `option` where `community sample` shall ask for it.
3. Declare `SAMPLE = Sample(...)`: its title, its size, the tables that it fills, which it fills last, what its report
   counts, and `fill`. Import what draws inside of `fill` only: the command line loads this file for its help.
4. `fill` gets the `Work` (`loading`): the size, the `Calendar`, and `begin` and `complete`, its two transactions.
5. Draw each part with dice of its own (`work.dice("likes")`), so that another part more changes none of the others,
   and nothing by `now`: full days are the same at every hour after them.
6. Whoever does something comes from `people`, when it happens from `calendar`, to what from `chance` and `visits`.
7. Write rows as dicts or columns under the app's names (`writing`): types come from the table itself, and times after
   `now` become null. What is made in one day stays in memory, no more.
8. Cached counters need no line: `complete` sets them from the platform's declared truth, and some of them wrong.
9. Keep what is only words or numbers in `words.yml`, and what another platform needs, too, in these modules: a folder
   has at most 800 lines of Python.
10. Test that every kind of trouble is there, that nothing else is wrong, and that the same seed gives the same rows.
"""
