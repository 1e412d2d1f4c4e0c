# `make` lists the targets. Every target that needs the set-up does it first; done once, it costs nothing.
# make ends with 2 whatever a command's exit status was: scripts that need it call .venv/bin/testbed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

TESTBED := .venv/bin/testbed
DEMO := twitter-facebook-block-2022-03
DEMO_VANTAGES := rostelecom mts beeline megafon

ARGS ?=#          more options of the command:   make scenario/free-network ARGS='--phase before --json'
VANTAGE ?=#       one or more vantages:          make shell/free-network VANTAGE=mts
PYTEST_ARGS ?=#   more options of pytest:        make test PYTEST_ARGS='tests/censor -k sni'
MARKS ?= not slow
TARGET ?= core#   what to fuzz:                  make fuzz TARGET=parsers

LOCKED := --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
SECONDS ?= 3600
JOBS ?=#          cores for the tests:           make test JOBS=1  (one process; default: all)

vantages = $(foreach vantage,$(1),--vantage $(vantage))

.PHONY: help setup demo test test-all fuzz fast soak pictures console-pictures lab-pictures wireshark-pictures frontend diagrams episodes methods matrix-page site manual release-check conformance check lint types locked scenarios-valid format scenarios bench lock clean

help:             ## print this list
	@awk -F ':[^#]*## ' '/^[a-z][a-zA-Z\/%-]*:.*##/ {sub("%", "NAME", $$1); printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:            ## install what is missing: system packages, .venv, the pinned Python packages
	@tools/setup.sh

demo: setup       ## the block of March 2022 as four operators' subscribers met it
	@$(TESTBED) run $(DEMO) $(call vantages,$(DEMO_VANTAGES)) $(ARGS)

test: setup       ## the default test suite (PYTEST_ARGS=…, JOBS=…)
	@.venv/bin/python tools/run_tests.py -m "$(MARKS)" $(if $(JOBS),--jobs $(JOBS)) $(PYTEST_ARGS)

test-all: setup   ## every test, the slow ones with their clients and fuzzers too
	@tools/setup.sh slow
	@.venv/bin/pytest $(PYTEST_ARGS)

fuzz: setup       ## look for packets that break the core, for a minute (TARGET=core, parsers, captures)
	@tools/setup.sh slow
	@mkdir -p .fuzz/$(TARGET)
	@.venv/bin/python -m tests.fuzz.run $(TARGET) -max_total_time=60 -artifact_prefix=.fuzz/ .fuzz/$(TARGET) tests/fuzz/corpus/$(TARGET)

check: lint types locked scenarios-valid ## lint, format, types, the lock, every scenario file

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: setup
	@.venv/bin/mypy

locked: setup
	@.venv/bin/python tools/check_lock.py

scenarios-valid: setup
	@$(TESTBED) check

format: setup     ## put every Python file into the house's format
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

scenarios: setup  ## list the scenarios
	@$(TESTBED) list $(ARGS)

scenario/%: setup ## run one scenario (VANTAGE=…, ARGS=…)
	@$(TESTBED) run $* $(call vantages,$(VANTAGE)) $(ARGS)

shell/%: setup    ## a subscriber's shell in one scenario (VANTAGE=…, ARGS=…)
	@$(TESTBED) shell $* $(call vantages,$(VANTAGE)) $(ARGS)

bench: setup      ## measure the budgets: a table, and JSON in bench/results
	@$(TESTBED) bench $(ARGS)

pictures: setup   ## make docs/pictures again, from real runs
	@.venv/bin/python tools/picture.py $(ARGS)

fast: setup       ## compile the core, which then takes half the time (testbed compile)
	@$(TESTBED) compile

soak: setup       ## a censor under 50 connections a second: is its memory flat? (SECONDS=3600)
	@TESTBED_SOAK=$(SECONDS) $(TESTBED) bench --only soak

frontend:         ## build the page of testbed console from the packages of frontend/package-lock.json
	@command -v npm >/dev/null || { echo "frontend: npm is missing; install Node.js 20 or later with it" >&2; exit 4; }
	@cd frontend && npm ci --ignore-scripts --no-audit --no-fund && npm run build

console-pictures: setup ## make the pictures of docs/console.md again, in a real Chromium
	@.venv/bin/python tools/console_pictures.py

lab-pictures: setup ## make the pictures of docs/teaching.md again, in a real Chromium
	@.venv/bin/python tools/lab_pictures.py

wireshark-pictures: setup ## make the pictures of docs/capture.md again, in a real Wireshark on a screen of Xvfb
	@.venv/bin/python tools/wireshark_picture.py $(ARGS)

diagrams: setup   ## make the pictures of docs/mechanisms again, from real runs (ARGS=NAME…)
	@.venv/bin/python tools/mechanisms.py
	@.venv/bin/python tools/diagram.py $(ARGS)

episodes: setup   ## make docs/episodes again, from real runs (ARGS=NAME…, or ARGS=--text without runs)
	@.venv/bin/python tools/episodes.py $(ARGS)

methods: setup    ## renew the table of docs/circumvention.md, from real runs (ARGS=NAME…)
	@.venv/bin/python tools/methods.py $(ARGS)

matrix-page: setup ## renew docs/matrix-recipes.md: every recipe against every profile, from real runs (ARGS=--jobs N)
	@.venv/bin/python tools/matrix_page.py $(ARGS)

site: setup       ## the pages, the commands and the API as a searchable site in build/site
	@.venv/bin/python tools/site.py $(ARGS)

manual: setup     ## make the manual page, docs/testbed.1, again
	@.venv/bin/python tools/site.py --man

release-check: setup frontend ## build sdist and wheel, install them in an empty environment, run the main job there
	@.venv/bin/python tools/release_check.py $(ARGS)

conformance: setup ## every documented behaviour as a case, on the core (ARGS=--live: through the kernel)
	@$(TESTBED) conformance $(ARGS)

lock: setup       ## pin the dependencies of pyproject.toml again, for every supported Python
	@.venv/bin/python -m pip install --quiet uv
	@.venv/bin/python -m uv pip compile $(LOCKED) --extra dev --extra ooni --extra site $(ARGS) --output-file requirements.lock pyproject.toml
	@.venv/bin/python -m uv pip compile $(LOCKED) --all-extras --constraint requirements.lock $(ARGS) \
	  --output-file requirements-slow.lock pyproject.toml

clean:            ## remove .venv, caches and build results; runs/ stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
