# Weir: `make demo` shows it with an invented shop, `make up` runs it for your own Kafka. `make help` lists all.

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
INSTALLED := $(VENV)/.installed
DEV_INSTALLED := $(VENV)/.dev-installed
UV ?= uv
PART ?=
ALL ?=
PYTEST ?=
WORKERS ?= 2

.PHONY: help demo up test check clean lock bench bench-sampling bench-live bench-graph fetch browser
.PHONY: demo-break demo-fix demo-deploy demo-stop demo-start

help:
	@echo "make demo         Weir with the demo shop, until Ctrl-C"
	@echo "make up           Weir for your own Kafka and services, until Ctrl-C"
	@echo "make demo-break   billing declines some cards    make demo-fix  mends it"
	@echo "make demo-deploy  a new, slower version of billing; PART=carrier-svc: of another service"
	@echo "make demo-stop PART=mailer, make demo-start PART=mailer: a service or a part of Weir"
	@echo "make test         all checks and tests           make check     the checks alone"
	@echo "make bench        the benchmarks                 make bench-sampling  those of the sampler and its pages"
	@echo "make bench-live   those of live pages           make bench-graph  those of the graph, beside ELK"
	@echo "make lock         requirements*.txt anew from requirements*.in"
	@echo "make clean        stop what runs, remove its data; ALL=1: the cache and $(VENV) too"

# -- what runs on

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Weir needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1 || echo missing)."; \
	  echo "Name another: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Python's venv module is missing (Debian and Ubuntu: apt-get install python3-venv)."; \
	  rm -rf $(VENV); exit 1; }

$(INSTALLED): requirements.txt $(wildcard native/*.c native/*.h) | $(VENV)/bin/python
	@echo "Installing the pinned packages into $(VENV) (once) …"
	@$(PIP) -r requirements.txt
	@$(PY) -m native
	@touch $@

$(DEV_INSTALLED): requirements-dev.txt $(INSTALLED)
	@echo "Installing the pinned test packages into $(VENV) (once) …"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV): $(INSTALLED)

fetch: $(INSTALLED)
	@$(PY) -m stack fetch

# -- run

demo: $(INSTALLED)
	@$(PY) -m stack demo

up: $(INSTALLED)
	@$(PY) -m stack up

demo-break demo-fix demo-deploy: $(INSTALLED)
	@folder="$$($(PY) -m stack folder --instance demo)" && \
	  DEMO_STATE_DIR="$$folder/demo" $(PY) -m demo.control $(@:demo-%=%) $(if $(filter demo-deploy,$@),$(PART))

demo-stop demo-start: $(INSTALLED)
	@test -n "$(PART)" || { echo "Which? make $@ PART=mailer"; exit 2; }
	@if $(PY) -c 'import sys; from demo.parts import PARTS; sys.exit(sys.argv[1] not in PARTS)' "$(PART)"; then \
	  folder="$$($(PY) -m stack folder --instance demo)" && \
	  DEMO_STATE_DIR="$$folder/demo" $(PY) -m demo.control $(@:demo-%=%) "$(PART)"; \
	else $(PY) -m stack $(@:demo-%=%-part) "$(PART)"; fi

# -- check

browser: $(DEV_INSTALLED)
	@.ci/browser $(PY)

check: $(DEV_INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check

test: check browser
	$(PY) -m pytest -n $(WORKERS) --no-loadscope-reorder $(PYTEST)

bench: $(DEV_INSTALLED)
	@missed=""; for file in benchmarks/*.py; do \
	  if [ "$$file" != benchmarks/__init__.py ] && [ -e "$$file" ]; then \
	    module="$${file%.py}"; echo "== $$module"; $(PY) -m "$$(echo "$$module" | tr / .)" || missed="$$missed $$module"; \
	  fi; done; [ -z "$$missed" ] || { echo "Failed or missed a target:$$missed"; exit 1; }

bench-sampling: $(DEV_INSTALLED)
	$(PY) -m benchmarks.sampling
	$(PY) -m benchmarks.sample_pages

bench-live: $(DEV_INSTALLED)
	@$(PY) -m benchmarks.live; missed=$$?; $(PY) -m benchmarks.arrival && exit $$missed

bench-graph: $(DEV_INSTALLED) browser
	@$(PY) -m benchmarks.graph; missed=$$?; $(PY) -m benchmarks.graph_pages && exit $$missed

lock:
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" requirements.in --output-file requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" requirements-dev.in --output-file requirements-dev.txt

clean:
	@if [ -x $(PY) ]; then $(PY) -m stack clean $(if $(ALL),--all); \
	  else echo "Nothing is installed here, so nothing runs from here."; fi
	@rm -rf build test-results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	$(if $(ALL),@rm -rf $(VENV))
