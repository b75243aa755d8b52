# All that is needed is make and Python 3.10 or newer: make demo. What else there is: make help
PYTHON ?= python3
PORT ?= 3000
HISTORY ?= 3
MINUTES ?= 20

LOCK := --universal --python-version 3.10 --no-annotate --no-header --quiet $(UPGRADE)

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := .venv/.installed

.PHONY: help install demo dev lint test faults hostile browser bench soak docs build lock clean
.DEFAULT_GOAL := help

help: ## What there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

install: $(INSTALLED) ## .venv with everything in it, at the versions and hashes of requirements-dev.txt

# Another PYTHON is asked for than the one that is installed: .venv is made anew.
VERSION := -c 'import sys; print(sys.version_info[:2])'
ifneq ($(origin PYTHON),file)
ifneq ($(shell $(PYTHON) $(VERSION) 2>&1),$(shell $(BIN)/python $(VERSION) 2>&1))
.PHONY: $(INSTALLED)
endif
endif

$(INSTALLED): pyproject.toml requirements-dev.txt
	@echo "Installing into .venv: once, some minutes …"
	$(PYTHON) -m venv --clear .venv
	$(PIP) --require-hashes -r requirements-dev.txt
	$(PIP) --no-deps -e .
	touch $@

demo: install ## The real jobs against stand-ins on this machine, printed and checked; cleans up
	$(BIN)/python -m leaseup_dagster.sandbox.demo

# HISTORY: days of runs before it opens; 0: none.
dev: install ## The same world kept up, with Dagster's UI on PORT; Ctrl-C stops it
	$(BIN)/python -m leaseup_dagster.sandbox.dev --port $(PORT) --history $(HISTORY)

lint: install ## ruff, mypy, and the layers of the imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## lint, and the tests against a real PostgreSQL and real HTTP
	$(BIN)/pytest -n 3 -m "not faults"

faults: install ## The fault matrix, random histories, killed processes
	$(BIN)/pytest -n 3 -m faults

# As root or as a user. apt-get install postgresql pgbouncer rabbitmq-server
hostile: install ## Behind a pooler, beside Debian's servers, and while they fail
	$(BIN)/pytest hostile -p no:xdist

# Each screen is left in browser/screenshots. apt-get install chromium
browser: install ## What a person does in the UI, in Debian's Chromium
	$(PIP) -c constraints.txt -e '.[browser]'
	$(BIN)/pytest browser -p no:xdist

# About an hour on a quiet machine.
bench: install ## The table and the plots of docs/performance.md
	$(PIP) -c constraints.txt -e '.[bench]'
	$(BIN)/python -m bench

soak: install ## Random histories for MINUTES; prints what was tried, doubled and lost
	$(BIN)/python -m bench.soak $(MINUTES)

docs: install ## The pages of docs/ as a site in site/
	$(PIP) -c constraints.txt -e '.[docs]'
	$(BIN)/mkdocs build --strict --quiet

build: install ## sdist and wheel in dist/; the wheel is installed and started in a fresh environment
	rm -rf dist build
	$(BIN)/python -m build --outdir dist .
	$(BIN)/pytest release -p no:xdist

lock: install ## constraints.txt and requirements-dev.txt anew; with UPGRADE=--upgrade to newer versions
	$(PIP) uv
	$(BIN)/uv pip compile $(LOCK) --all-extras -o constraints.txt pyproject.toml
	$(BIN)/uv pip compile $(LOCK) --extra dev -c constraints.txt --no-strip-extras --generate-hashes -o requirements-dev.txt pyproject.toml

clean: ## Removes what the others made
	rm -rf .venv *.egg-info build dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
