"""What a platform is: data, a folder each. `registry` is the one list of them.

`spec` explains every fact that a platform declares; `declared` reads those that are in `sources.yml` and `.sql` files,
`data_tests` the expectations. Not here: anything that acts on a database, a file or a day, and what several platforms
share.
"""
