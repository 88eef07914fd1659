# Every target makes its own environment in .venv; nothing needs to be installed by hand.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: run test test-slow test-studies lint gate bench readme reference docs lab clean

run: $(INSTALLED)  ## the main job: every optimization, both variants, on the installed sample
	$(BIN)/argo-bench run --profile quick

test: lint  ## lint, types and tests: a few minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(INSTALLED)  ## what takes minutes: real measurements, end to end
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

test-studies: $(INSTALLED)  ## makes stored studies anew and tries more cases, before a release
	$(BIN)/python -m pytest -m study

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

BASE ?= $(shell git rev-parse --quiet --verify HEAD~1 || echo HEAD)
gate: $(INSTALLED)  ## is this commit slower than the one before? make gate BASE=main for another
	$(BIN)/argo-bench ci --base $(BASE)

bench: $(INSTALLED)  ## the same arms under pytest-benchmark, and the speed of kernel and universe
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only
	$(BIN)/python tests/benchmarks/study_indicators.py
	$(BIN)/python tests/benchmarks/study_pass.py
	$(BIN)/python tests/benchmarks/study_universe.py

readme: $(INSTALLED)  ## the README's table from the stored run
	$(BIN)/argo-bench report results/reference --readme README.md

reference: $(INSTALLED)  ## two whole runs with two seeds, stored, and whether they agree: an hour and a half
	$(BIN)/argo-bench reference

docs: $(INSTALLED)  ## README's pages as a site in docs/_build, every link inside checked
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build

lab: $(INSTALLED)  ## the notebooks in JupyterLab
	$(BIN)/argo-bench lab

clean:
	rm -rf .venv

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	touch $@
