# Everything runs from .venv, which is made here from the pinned requirements: `make` and Python 3.11+ are enough.

VENV  := .venv
BIN   := $(VENV)/bin
RUNS  := $(VENV)/.runs
STAMP := $(VENV)/.installed
LOCK  := requirements/dev.txt

# Held at 100 % of lines and branches by the tests of the engine: money depends on every path through these. Only those
# tests are traced, as that takes twice the time.
FULLY_COVERED := sengine/engine/signals/aggregation.py sengine/engine/state/votes.py sengine/engine/risk/pipeline.py sengine/engine/state/trading_record.py \
	$(wildcard sengine/engine/risk/checks/*.py) sengine/engine/risk/limit.py sengine/engine/risk/limits.py sengine/engine/risk/view.py

# The tests start Python hundreds of times: without bytecode on disk each start compiles every import anew.
unexport PYTHONDONTWRITEBYTECODE

# Most of the tests wait for processes of their own; three at a time keep two cores busy.
PARALLEL := -n 3 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test check both torture bench fast exe smoke package compiled docs audit lint type imports coverage format protos lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# On a terminal it runs until it is left; without one nobody could leave it.
demo: $(RUNS) ## Trade a generated market on paper; without a terminal for SECONDS (30)
	@seconds='$(SECONDS)'; [ "$$seconds" ] || { [ -t 0 ] && [ -t 1 ]; } || seconds=30; \
		$(BIN)/sengine demo $${seconds:+--seconds "$$seconds"}

test: $(STAMP) ## Run the tests, without the benchmarks
	$(BIN)/python -m pytest $(PARALLEL)

check: lint type imports docs coverage ## Run all that CI runs: lint, types, import layers, documentation, tests with held coverage

torture: $(STAMP) ## Run the long proofs: FUZZ_INPUTS (100000) damaged inputs of each kind, KILLS (200) kills of a live engine
	FUZZ_INPUTS=$(or $(FUZZ_INPUTS),100000) $(BIN)/python -m pytest -q -o faulthandler_timeout=0 tests/torture tests/adapters/test_journal.py
	KILLS=$(or $(KILLS),200) $(BIN)/python -m pytest -q -o faulthandler_timeout=0 tests/integration/test_recovery.py

bench: $(STAMP) ## Run the benchmarks and put their figures into docs/benchmarks.md
	$(BIN)/python -m pytest -q tests/benchmarks/$(ONLY)
	$(BIN)/python tests/benchmarks/table.py

fast: $(STAMP) ## Compile the engine in place from its own source (needs a C compiler)
	$(BIN)/python build/compiled.py

both: fast ## Run the tests of engine and replay on the compiled engine, and prove that both forms give equal digests
	$(BIN)/python -m pytest $(PARALLEL) tests/engine tests/replay tests/domain tests/build/test_compiled_form.py

exe: fast ## Build the single executable dist/sengine
	EXE_LEVEL=$(or $(EXE_LEVEL),12) $(BIN)/pyinstaller --noconfirm --log-level WARN --workpath .pyinstaller --distpath dist build/sengine.spec

package: $(STAMP) ## Build wheel and sdist, and try the wheel in a fresh environment
	rm -rf dist/*.whl dist/*.tar.gz
	SENGINE_COMPILED=1 $(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/python build/try_wheel.py dist/*.whl requirements/run.txt requirements/build.txt

smoke: $(STAMP) ## Prove dist/sengine in a bare environment
	$(BIN)/python build/smoke.py dist/sengine --slack $(or $(SLACK),1)

compiled: $(STAMP) ## Compile the momentum example with mypyc into dist/compiled (needs a C compiler)
	@mkdir -p dist/compiled && cp strategies/momentum.py dist/compiled/
	cd dist/compiled && $(CURDIR)/$(BIN)/python -m mypyc momentum.py
	$(BIN)/sengine strategies check --directory dist/compiled momentum
	@rm dist/compiled/momentum.py

docs: $(STAMP) ## Build the documentation into dist/site; every warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# It asks the package index for the advisories of each pin; an index without them, and no network, fail it.
audit: $(STAMP) ## Compare the pinned dependencies with published advisories (needs the network)
	$(BIN)/pip-audit --strict --progress-spinner off --disable-pip --require-hashes --requirement requirements/run.txt

lint: $(STAMP) ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

type: $(STAMP) ## Check types (mypy --strict)
	$(BIN)/mypy

imports: $(STAMP) ## Check that imports point downward only
	$(BIN)/lint-imports

# One report a file: coverage fails on a file without data, so a renamed module cannot slip out of the rule.
coverage: $(STAMP) ## Run the tests on the source and hold aggregation and risk at 100 % coverage
	SENGINE_PURE=1 $(BIN)/python -m pytest $(PARALLEL) tests/engine --cov --cov-report=
	@for module in $(FULLY_COVERED); do $(BIN)/coverage report --include=$$module --fail-under=100 || exit 1; done
	SENGINE_PURE=1 $(BIN)/python -m pytest $(PARALLEL) --ignore=tests/engine

format: $(STAMP) ## Format the code and apply safe fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

protos: $(STAMP) ## Generate the code of sengine/proto/*.proto anew; it is committed
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. sengine/proto/*.proto
	$(BIN)/python -m grpc_tools.protoc -I. --grpc_python_out=. $$(grep -l '^service ' sengine/proto/*.proto)

# Pins move only where pyproject.toml asks for it; LOCK_FLAGS=--upgrade moves them all.
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet $(LOCK_FLAGS)

lock: ## Pin requirements/*.txt anew from pyproject.toml (needs uv)
	$(COMPILE) --group build --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) --group compile --constraints requirements/build.txt --output-file requirements/compile.txt
	$(COMPILE) pyproject.toml --group dev --constraints requirements/compile.txt --constraints requirements/build.txt --constraints requirements/run.txt \
		--output-file $(LOCK)
	@! grep -nE 'https?://' requirements/*.txt || { echo 'The lines above name an address; a lock holds names, versions and hashes only.' >&2; exit 1; }

clean: ## Remove .venv, caches and generated files
	rm -rf $(VENV) dist .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find sengine replay -name '*.so' -delete
	find sengine tui replay strategies tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The newest interpreter is not looked for, only one that is new enough; PYTHON=... names another.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$candidate && break; done)

# The lock is complete, so pip resolves nothing (--no-deps); builds use what requirements/build.txt pins.
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
UV  := uv --quiet

# What sengine itself takes comes first and is enough for the demo; what the tests take is added to it. Neither takes
# away from the other, so both work in any order. Python compiles what is imported; compiling all takes twice as long.
$(RUNS): requirements/build.txt requirements/run.txt pyproject.toml
	@"$(or $(PYTHON),python3)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo 'sengine needs Python 3.11 or newer, and $(or $(PYTHON),python3) is not: install one, or name it as in `make test PYTHON=python3.12`.' >&2; exit 1; }
	@echo 'Installing requirements/run.txt into $(VENV)'
	@rm -f $@
	@if command -v uv >/dev/null 2>&1; then \
		$(UV) venv --allow-existing --python "$(PYTHON)" $(VENV) && \
		$(UV) pip install --python $(BIN)/python --require-hashes --requirement requirements/build.txt && \
		$(UV) pip install --python $(BIN)/python --require-hashes --no-build-isolation --requirement requirements/run.txt && \
		$(UV) pip install --python $(BIN)/python --offline --no-deps --no-build-isolation --editable . ; \
	else \
		"$(PYTHON)" -m venv $(VENV) && \
		$(PIP) install --require-hashes --no-deps --requirement requirements/build.txt && \
		$(PIP) install --no-compile --require-hashes --no-deps --no-build-isolation --requirement requirements/run.txt && \
		$(PIP) install --no-index --no-deps --no-build-isolation --editable . ; \
	fi
	@touch $@

$(STAMP): $(RUNS) $(LOCK)
	@echo 'Installing $(LOCK) into $(VENV)'
	@rm -f $@
	@if command -v uv >/dev/null 2>&1; then \
		$(UV) pip install --python $(BIN)/python --require-hashes --no-build-isolation --requirement $(LOCK); \
	else \
		$(PIP) install --require-hashes --no-deps --no-build-isolation --requirement $(LOCK); \
	fi
	@touch $@
