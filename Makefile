# Every target makes .venv from requirements.lock first and costs nothing when nothing changed.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# More than the cores: the tests of real processes mostly wait.
JOBS ?= 3
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.PHONY: install demo test lint bench bench-detect proof lock clean

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "payops needs Python 3.11 or newer; $(PYTHON) is older. Run: make PYTHON=python3.12 install" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing locked requirements into $(VENV) ..." >&2
	@said=$$($(PIP) --require-hashes -r requirements.lock 2>&1) || { echo "$$said" >&2; exit 1; }
	@said=$$($(PIP) --no-build-isolation -e . 2>&1) || { echo "$$said" >&2; exit 1; }
	@touch $@

demo: $(STAMP)
	@$(BIN)/payops demo $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)

proof: $(STAMP)
	PAYOPS_PROOF=full $(BIN)/pytest -n $(JOBS) --dist loadfile -m proof -s $(ARGS)

bench: $(STAMP)
	@$(BIN)/python -m benchmarks $(ARGS)

# ARGS=--quick takes minutes; the full counts take about half an hour on a quiet core.
bench-detect: $(STAMP)
	@$(BIN)/python -m benchmarks.detection $(ARGS)

# Needs uv on the PATH; writes names, versions and hashes only.
lock:
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet -o requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
