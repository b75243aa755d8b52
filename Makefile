# All that is needed is make and Python 3.10 or newer: make demo
PYTHON ?= python3
PORT ?= 3000
HISTORY ?= 3
MINUTES ?= 20

BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: install demo dev test faults hostile browser bench soak clean

install: $(INSTALLED)

# Another PYTHON is asked for than the one that is installed: .venv is made anew.
VERSION := -c 'import sys; print(sys.version_info[:2])'
ifneq ($(origin PYTHON),file)
ifneq ($(shell $(PYTHON) $(VERSION) 2>&1),$(shell $(BIN)/python $(VERSION) 2>&1))
.PHONY: $(INSTALLED)
endif
endif

$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing into .venv: once, some minutes …"
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# The real jobs against stand-ins on this machine, printed and checked; cleans up after itself.
demo: install
	$(BIN)/python -m leaseup_dagster.sandbox.demo

# The same world kept up, with Dagster's UI; Ctrl-C stops it. HISTORY: days of runs; 0: none.
dev: install
	$(BIN)/python -m leaseup_dagster.sandbox.dev --port $(PORT) --history $(HISTORY)

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 3 -m "not faults"

# The fault matrix, random histories, crashes, and runs in processes of their own: three minutes more.
faults: install
	$(BIN)/pytest -n 3 -m faults

# Behind a pooler, beside Debian's servers, and while they fail, as root or as a user:
# apt-get install postgresql pgbouncer rabbitmq-server
hostile: install
	$(BIN)/pytest hostile -p no:xdist

# What a person does in the UI, in Debian's Chromium; each screen is left in browser/screenshots.
browser: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	$(BIN)/pytest browser -p no:xdist

# The table and the plot of docs/performance.md: about an hour on a quiet machine.
bench: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m bench

# Random histories for so many minutes; prints what was tried, doubled and lost.
soak: install
	$(BIN)/python -m bench.soak $(MINUTES)

clean:
	rm -rf .venv *.egg-info build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
