# Two commands do everything on a fresh machine that has Python 3.11+, make and gcc:
#   make audit   set up, and audit the embedded model; leaves audit/report.html
#   make test    set up, and run every test
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Spinning threads collapse on small shared machines.
export OMP_WAIT_POLICY = passive

.PHONY: audit test check format bench bench-verdict docs clean
audit: $(VENV)/.local
	@$(BIN)/python -m hardlimit.models.embedded
	@$(BIN)/python -m hardlimit.models.embedding
	@$(BIN)/hardlimit audit embedded --budget 20m --out audit

test: $(VENV)/.dev
	@$(BIN)/python -m hardlimit.models.embedded
	@$(BIN)/python -m hardlimit.models.embedding
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test

format: $(VENV)/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

bench-verdict: $(VENV)/.dev
	@$(BIN)/python bench/verdict.py 300

docs: $(VENV)/.dev
	@$(BIN)/python docs/build_theory.py
	@$(BIN)/python docs/build_lab.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@echo "Setting up a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.local: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing hardlimit with PyTorch and transformers (a few minutes, once)"
	@$(PIP) -e '.[local]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing hardlimit with everything its tests need (a few minutes, once)"
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.local
