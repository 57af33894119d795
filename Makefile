# Everything a developer or a reader runs. Each target works first, alone, and twice in a row: it makes the
# environment it needs in .venv, once. On Linux a plain `torch` brings CUDA; for the CPU build set
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# one thread a process: the workers are the parallelism; tests that share an expensive fixture are a group
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

BASE := $(VENV)/.base-installed
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test slow mutants docs lint format types imports examples bench clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

# -- the environment -------------------------------------------------------------------------------
# A stamp is written after its install has ended, so an interrupted one is done again; so is one whose
# constraints.txt or pyproject.toml has changed since.

$(BASE): constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) $$(grep '^torch==' constraints.txt)
	@touch $@

$(RUN): pyproject.toml $(BASE)
	$(PIP) --editable '.[viz]'
	@touch $@

$(DEV): pyproject.toml $(BASE)
	$(PIP) --editable '.[all,dev]'
	@touch $(RUN) $@

# -- what a reader runs ----------------------------------------------------------------------------

demo: $(RUN)  ## train a jet tagger on the jets in this repository; figures and numbers in runs/demo
	$(BIN)/python examples/jets/tag.py

# -- the gate --------------------------------------------------------------------------------------

lint: $(DEV)  ## style: ruff check and ruff format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEV)  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(DEV)  ## static types: mypy
	$(BIN)/mypy

imports: $(DEV)  ## direction of dependency: import-linter
	$(BIN)/lint-imports

test: $(DEV)  ## the test suite, without the slow tests
	$(PYTEST) -m "not slow"

docs: $(DEV)  ## the site, in docs/_build/html; warnings are errors
	$(BIN)/sphinx-build --quiet -W --keep-going -n -b html docs docs/_build/html

# -- less often ------------------------------------------------------------------------------------

slow: $(DEV)  ## the slow tests
	$(PYTEST) -m slow

mutants: $(DEV)  ## plant known bugs and report those the tests do not see
	$(BIN)/python tests/mutants/run.py

examples: $(DEV)  ## run every example with its default arguments
	@set -e; for script in examples/*/*.py; do \
	  case $$script in */simulate*.py|*/_*.py) continue;; esac; \
	  echo "== $$script"; $(BIN)/python $$script; done

bench: $(DEV)  ## measure speed, accuracy, optimizers, layers against twins and peers; hours
	$(BIN)/python benchmarks/speed.py
	@if [ -f benchmarks/accuracy.py ]; then $(BIN)/python benchmarks/accuracy.py; fi
	$(BIN)/python benchmarks/optim.py
	$(BIN)/python benchmarks/optim_speed.py
	$(BIN)/python benchmarks/layers.py

clean:  ## remove the environment and everything made
	rm -rf $(VENV) runs build dist docs/_build docs/api docs/auto_gallery docs/sg_execution_times.rst
	rm -rf .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
