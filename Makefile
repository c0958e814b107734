# make run: everything on this machine.  make test (test-fast, test-all): the tests.  make check: format, types, words.
# ENGINE=off leaves out the local engine (and torch); TORCH_INDEX names an index with smaller builds of torch.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
ENGINE ?= $(or $(shell sed -n 's/^ENGINE=//p' .env 2>/dev/null),on)
TORCH_INDEX ?=
WITHOUT_ENGINE := $(filter off 0 false no,$(ENGINE))
STUDIO := $(VENV)/.studio $(if $(WITHOUT_ENGINE),,$(VENV)/.engine)
# Commands that load the settings without being a run: a state of their own, and a server's address.
AS_DEPLOYED := STATE_DIR=$(CURDIR)/.mypy_cache/state BASE_URL=https://studio.example DATABASE_URL= REDIS_URL=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export ENGINE

.PHONY: help setup run test test-fast test-all coverage check bench bench-check bench-points bench-start bench-idle bench-compare accuracy conformance vendor messages screenshots invite clean dev browser curl gettext

help:
	@sed -n '1,2s/^# //p' Makefile

# ---- environment: each stamp is older than its requirements only when something has to be installed ----
$(VENV)/.python:
	@for python in "$$PYTHON" python3.11 python3.12 python3.13 python3; do \
	  if [ -n "$$python" ] && $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "Python 3.11 or newer is needed and was not found: install it, or name it with PYTHON=/path/to/python3.11 make run." >&2; exit 1; fi; \
	$$found -m venv $(VENV) >/dev/null 2>&1 \
	  || { $$found -m venv --clear --without-pip $(VENV) && $$found -m pip --python $(BIN)/python install --quiet pip; } \
	  || { rm -rf $(VENV); echo "A virtual environment could not be made: install Python's venv or pip (on Debian: apt-get install python3-venv)." >&2; exit 1; }
	@touch $@

$(VENV)/.studio: requirements.txt | $(VENV)/.python
	@echo "Installing the studio's requirements ..."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.engine: engine/requirements.txt | $(VENV)/.studio
	@echo "Installing the engine's requirements (torch is large; ENGINE=off leaves them out) ..."
	@$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$$(grep '^torch==' engine/requirements.txt)"
	@$(PIP) -r engine/requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(VENV)/.studio
	@echo "Installing the requirements of tests and checks ..."
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/.bench: tests/bench/requirements.txt | $(VENV)/.dev
	@echo "Installing TensorBoard, which is measured beside ..."
	@$(PIP) -r tests/bench/requirements.txt
	@touch $@

setup: $(STUDIO)

dev: $(VENV)/.studio $(VENV)/.engine $(VENV)/.dev

# ---- run ----
run: $(STUDIO)
	@exec $(BIN)/python -m studio.run

invite: $(STUDIO)
	@$(BIN)/python manage.py invite --admin $(if $(USERNAME),--username $(USERNAME))

# ---- tests and checks ----
test: dev browser
	@.ci/test

test-fast: dev
	@.ci/test fast

test-all: dev browser
	@.ci/test all

# Of what the tests in this process reach: units, pages and the engine's own, without the processes they start.
coverage: dev
	$(BIN)/coverage run -m pytest -n 0 -m "not journey and not slow and not fault"
	$(BIN)/coverage report --skip-covered --sort=cover

check: dev gettext
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(AS_DEPLOYED) $(BIN)/mypy
	$(BIN)/djlint --lint --quiet templates
	$(AS_DEPLOYED) $(BIN)/python manage.py makemigrations --check --dry-run
	$(AS_DEPLOYED) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(AS_DEPLOYED) .ci/translations

bench: dev $(VENV)/.bench browser
	$(BIN)/python -m tests.bench

bench-check: dev
	$(BIN)/python -m tests.bench.check $(ARGS)

bench-points: dev $(VENV)/.bench
	$(BIN)/python -m tests.bench points

# From the click on Start to the first painted point.
bench-start: dev browser
	$(BIN)/python -m tests.bench.start

# What the product costs while nobody looks and nothing runs.
bench-idle: dev
	$(BIN)/python -m tests.bench idle

bench-compare: dev $(VENV)/.bench browser
	$(BIN)/python -m tests.bench.compare $(ARGS)

accuracy: dev
	$(BIN)/python -m tests.accuracy $(ARGS)

# Google's own clients against the engine, each group in an environment of its own (500 MB, made once).
conformance: dev curl
	@$(BIN)/python -m tests.conformance

curl:
	@.ci/need curl curl

browser:
	@.ci/need chromium-headless-shell chromium-headless-shell chromium chromium-browser google-chrome

gettext:
	@.ci/need gettext msgfmt

# ---- things that are made and committed ----
vendor: dev
	$(BIN)/python manage.py vendor_assets

messages: dev gettext
	$(AS_DEPLOYED) $(BIN)/python manage.py makemessages --locale en --locale ja --no-wrap --no-obsolete --verbosity 0 \
	  $(foreach folder,.venv .venv-conformance tests engine var docs,--ignore $(folder))
	cd studio && $(AS_DEPLOYED) ../$(BIN)/python ../manage.py compilemessages --verbosity 0

screenshots: dev browser
	@fc-list :lang=ja 2>/dev/null | grep -q . || .ci/need fonts-noto-cjk "a Japanese font"
	$(BIN)/python -m tests.screenshots $(ARGS)

clean:
	rm -rf $(VENV) $(VENV)-conformance .mypy_cache .pytest_cache .ruff_cache
