# Everything a developer or operator of this repository runs. Each target works on a bare machine with
# Python 3.11 and make.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install lock check format test test-scheduler test-distributed demo demo-reset up bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## create .venv with the pinned packages and this project

$(INSTALLED): requirements-dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	touch $@

lock: $(INSTALLED) ## pin the packages anew, from pyproject.toml
	$(BIN)/python -m pip install --disable-pip-version-check --quiet 'uv==0.13.8'
	$(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --python-version 3.11 pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --python-version 3.11 --extra dev -c requirements.txt \
		pyproject.toml -o requirements-dev.txt

check: $(INSTALLED) ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(INSTALLED) ## format and fix what can be fixed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

test: $(INSTALLED) ## all tests, on two cores
	$(BIN)/pytest -n 2 --dist loadgroup

test-scheduler: $(INSTALLED) ## history, fourteen nights, a missed scheduler, a backfill, approvals on a real Airflow; minutes
	$(BIN)/pytest -m scheduler tests/scheduler

test-distributed: $(INSTALLED) ## an import over two workers while machines, Redis and PostgreSQL fail, and nights; minutes
	$(BIN)/pytest -m distributed tests/distributed

demo: TARGET ?= tencent
demo: $(INSTALLED) ## two real exports through Airflow into the sandbox, with a report; into ZIM: make demo TARGET=zim
	$(BIN)/python scripts/demo.py --target $(TARGET)

demo-reset: ## forget what the demo and `make up` did
	rm -rf var/demo

up: $(INSTALLED) ## Airflow on this machine with the DAGs and the sandbox on, until Ctrl-C
	$(BIN)/python scripts/demo_up.py

bench: $(INSTALLED) ## measure it: every script of benchmarks/, one after the other
	set -e; for script in benchmarks/*.py; do $(BIN)/python $$script; done

clean: ## remove caches and .venv; keeps var/, where ledgers are
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
