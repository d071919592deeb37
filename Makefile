# Everything is run from a locked environment in .venv; `make run` and `make test` set it up by themselves.
PYTHON ?= python3
UV = .tools/bin/uv
ENV = .venv/.locked
COMMUNITY = .venv/bin/community

.DEFAULT_GOAL := help
.PHONY: help setup run ui test check format lint types bench dictionary stop clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(UV):
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet 'uv>=0.9'

$(ENV): pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --quiet --compile-bytecode --python $(PYTHON)
	.venv/bin/python -m compileall -q community_pipelines
	@touch $(ENV)

setup: $(ENV)  ## Install the locked environment

run: $(ENV)  ## The main job: embedded PostgreSQL, sample gallery, every closed day
	$(COMMUNITY) run

ui: $(ENV)  ## Dagster's webserver and daemon on 127.0.0.1:3000
	$(COMMUNITY) ui

test: $(ENV)  ## The whole test suite
	.venv/bin/pytest -n 2

format: $(ENV)  ## Format the code
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

lint: $(ENV)
	.venv/bin/ruff format --check
	.venv/bin/ruff check

types: $(ENV)
	.venv/bin/mypy

check: lint types test  ## Format, lint, types, tests

bench: $(ENV)  ## Speed and memory against floors measured in the same run
	.venv/bin/python -m benchmarks

dictionary: $(ENV)  ## Write the pages of docs/ and the snapshot of the graph anew
	.venv/bin/python -m community_pipelines.pages
	.venv/bin/python tests/test_graph.py

stop: $(ENV)  ## Stop the embedded PostgreSQL
	$(COMMUNITY) stop

clean:  ## Remove the environment; the state in .community stays
	rm -rf .venv .tools
