# `make serve` and `make test` need Python 3.11 or newer (PYTHON=...) and make the rest themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --editable
# In place of pip, which does it on one core. Some packages have files that are no Python.
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
PACKAGES := puzzles kernel model training export server client cli bench
CODE := $(PACKAGES) tests

.DEFAULT_GOAL := help
.PHONY: help serve test check lint types format clean

help:  ## List the targets.
	@sed -n 's/^\([a-z]*\):.*##/\1 /p' $(MAKEFILE_LIST) | \
		while read -r target text; do printf '  make %-8s%s\n' "$$target" "$$text"; done

serve: $(VENV)/.serving  ## Serve the shipped bundles on 127.0.0.1:8000 (CPU, no torch).
	$(BIN)/ponder serve

test: $(VENV)/.developing  ## Run the tests; ARGS="tests/server -x" goes to pytest.
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 \
		$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: lint types test  ## Everything that must pass before a push.

lint: $(VENV)/.developing  ## Formatting, lint, Dockerfile.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/hadolint Dockerfile

types: $(VENV)/.developing  ## mypy, strict.
	$(BIN)/mypy

format: $(VENV)/.developing  ## Rewrite the code as `lint` wants it.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove the environment, builds and caches; data/ and runs/ stay.
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

# Stamps: made once, and again when pyproject.toml changes. Both kinds share one environment.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' \
		>/dev/null 2>&1 || { echo "ponder needs Python 3.11 or newer with its venv module, and" \
		"'$(PYTHON)' is not that: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.serving: $(VENV)/.made pyproject.toml
	@echo "Installing what serving needs into $(VENV) ..."
	@$(INSTALL) '.[cpu]'
	@$(COMPILE)
	@touch $@

$(VENV)/.developing: $(VENV)/.made pyproject.toml
	@echo "Installing what training and the tests need into $(VENV), torch too: some minutes ..."
	@$(INSTALL) '.[cpu,train,dev]'
	@$(COMPILE)
	@touch $(VENV)/.serving $@
