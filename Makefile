# Every target sets up the environment it needs: on a fresh clone `make train` alone is enough, and so is `make test`.
# PYTHON: the newest that runs (a name on PATH may be a shim of a version that is switched off) and can make environments.
SUITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
  $$name -c '$(SUITS)' >/dev/null 2>&1 && echo $$name && exit; done; echo no-python-3.11-to-3.13-with-venv)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup train test test-all lint format probes sweep studies exercise exercises lessons docs report tensorboard bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(READY_DEV) ## all of the environment in .venv, pinned by constraints.txt: what runs need, then what tests need

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) setuptools wheel torch==2.13.0
	$(PIP) --no-build-isolation -e .
	@touch $@

$(READY_DEV): $(READY)
	$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

train: $(READY) ## the main job: translation with attention on the notebook's pairs (ARGS='key=value …')
	$(BIN)/probeta train $(ARGS)

test: $(READY_DEV) ## the fast tests
	$(BIN)/python -m pytest $(ARGS)

test-all: $(READY_DEV) ## every test, the slow ones too
	$(BIN)/python -m pytest -m '' $(ARGS)

lint: $(READY_DEV) ## style, types and the arrows between packages
	$(BIN)/ruff check src tests docs
	$(BIN)/ruff format --check src tests docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY_DEV) ## rewrite the code in the agreed style
	$(BIN)/ruff check --fix src tests docs
	$(BIN)/ruff format src tests docs

probes: $(READY) ## every gradient probe
	for probe in depth length gradcheck bug_hunt state_machine layers; do $(BIN)/probeta probe probe=$$probe || exit $$?; done

sweep: $(READY) ## a study: four kinds of regularisation over seeds, with table and page
	$(BIN)/probeta train study=regularization hydra/launcher=vectorized $(ARGS)

studies: $(READY) ## every study that ships, one after the other (the translation ones take hours)
	for study in $(filter-out exercise_%,$(sort $(notdir $(basename $(wildcard conf/study/*.yaml))))); do \
	  $(BIN)/probeta train study=$$study hydra/launcher=vectorized $(ARGS) || exit $$?; done

exercise: $(READY) ## one exercise, with its answer and page: make exercise N=9 (ARGS=lang=es)
	$(BIN)/probeta exercise $(N) $(ARGS)

exercises: $(READY) ## all of them, and outputs/exercises/index.html; a second call goes on
	$(BIN)/probeta exercise all $(ARGS)

lessons: $(READY) ## every lesson, executed: outputs/lessons/en and es (ARGS=lessons/es/01_….py: one)
	$(PIP) --no-build-isolation -e '.[lessons]'
	$(BIN)/python lessons/execute.py $(ARGS)

docs: $(READY) ## the documentation: build/docs/site/index.html, and docs/schema/, by which editors complete conf/
	$(PIP) --no-build-isolation -e '.[docs]'
	$(BIN)/python -m sphinx -q -W --keep-going -d build/docs/doctrees docs build/docs/site

report: $(READY) ## table, figures and page of a run or sweep: make report DIR=outputs/…
	$(BIN)/probeta report $(if $(DIR),"$(DIR)")

tensorboard: $(READY) ## the curves of everything in outputs/
	$(BIN)/tensorboard --logdir outputs

bench: $(READY) ## what is measured against whom (ONLY=overhead: one of them)
	$(BIN)/python -m tests.benchmarks $(ONLY)

clean: ## caches and build leftovers; results of runs stay
	rm -rf build dist docs/lessons docs/schema docs/reference/commands.md docs/reference/keys .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests conf -name __pycache__ -type d -prune -exec rm -rf {} +
