"""How Dagster runs the flow: assets, jobs, schedules, sensors, runs from the command line, the UI's server.

The only package that imports Dagster. Not here: what is done to a day (`flow/`).
"""
