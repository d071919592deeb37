"""How Dagster runs the flow: assets, jobs, schedules, sensors, alerts, runs from the command line, the UI's server.

The only package that imports Dagster; `definitions` is the only assembly. Not here: what is done to a day (`flow/`).
"""
