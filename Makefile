# The verbs of this repository. Needs sh, make and Python 3.11 or newer; everything else is installed into .venv.
#
#   make run      start Mandate for trying it out (ARGS= goes to `mandate dev`)
#   make test     run the tests against real servers: DATABASE_URL and REDIS_URL when set, private ones otherwise
#   make check    format, lint, types, layers, house rules
#   make bench    run the benchmarks (ARGS= goes to them)
#   make soak     the long runs against the promises, with figures (ARGS= goes to them, e.g. "kills --rounds 5")
#   make lock     write the locks from pyproject.toml, keeping versions that still fit (ARGS=--upgrade: newest); needs uv
#   make clean    remove .venv and caches, no data

PYTHON ?=
UV ?= uv
WORKERS ?= 2
ARGS ?=

BIN := .venv/bin
# Names and hashes only: where packages are downloaded from is each machine's own business.
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command "make lock" $(ARGS)

.PHONY: run test check bench soak lock clean
.DEFAULT_GOAL := run

run: .venv/runtime.stamp
	@$(BIN)/mandate dev $(ARGS)

test: .venv/dev.stamp
	@scripts/find-redis
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

check: .venv/dev.stamp
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/house

bench: .venv/dev.stamp
	@$(BIN)/python -m bench $(ARGS)

soak: .venv/dev.stamp
	@$(BIN)/python -m tests.soak $(ARGS)

lock:
	@$(COMPILE) pyproject.toml --output-file requirements.lock
	@$(COMPILE) pyproject.toml --group dev --constraints requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps only say "look again"; the script itself compares what is installed with the lock, so that a lock which
# git has merely touched costs nothing.
.venv/runtime.stamp: requirements.lock scripts/setup
	@PYTHON="$(PYTHON)" scripts/setup runtime

.venv/dev.stamp: requirements-dev.lock requirements.lock scripts/setup
	@PYTHON="$(PYTHON)" scripts/setup dev
