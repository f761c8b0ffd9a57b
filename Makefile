# Troth: two commands do it all, `make demo` and `make test`. Set-up speaks on stderr only.
SHELL  := /bin/bash
PYTHON ?= python3
BIN    := .venv/bin
ARGS   ?=
T      ?= tests
K      ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench fuzz boards emu programs lock clean

help: ## list the verbs
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: .venv/run.stamp .vm/stamp ## the whole story on emulated boards, then the page on 127.0.0.1 (ARGS="--once --json")
	@$(BIN)/troth demo $(ARGS); code=$$?; [ $$code -eq 0 ] || [ $$code -eq 3 ] || exit $$code

# three workers on two cores: boards and browsers wait; what Python compiles is kept for the
# hundreds of processes that the tests start
test: .venv/dev.stamp .vm/stamp programs ## every test; T=tests/test_x.py or K=word for a few
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(T) $(if $(K),-k '$(K)') $(ARGS)

lint: .venv/dev.stamp ## ruff, mypy --strict, the agent against the MicroPython stubs, the import contract
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python tests/typings.py
	@$(BIN)/mypy --config-file agent/mypy.ini
	@$(BIN)/lint-imports

bench: .venv/dev.stamp .vm/stamp ## figures against raw ECDSA verify (ARGS="--json FILE")
	@$(BIN)/python tests/bench $(ARGS)

fuzz: .venv/dev.stamp ## the readers on noise, for longer (ARGS="--rounds 5000000")
	@$(BIN)/python tests/attacks/fuzz.py $(ARGS)

boards: .venv/dev.stamp .vm/stamp ## harden a virtual chip of each of the nine kinds, and walk chips x signers x links, meet strangers
	@TROTH_BOARDS=all $(BIN)/pytest -n 2 --dist worksteal tests/test_board_files.py tests/test_board_harden.py tests/test_matrix.py tests/test_untrusted.py $(ARGS)

emu: .venv/run.stamp .vm/stamp ## boards without hardware (ARGS="run -n 2 --chip esp32c3")
	@$(BIN)/troth emu $(if $(ARGS),$(ARGS),run)

setup: .venv/dev.stamp .vm/stamp ## only the set-up

programs: # chromium (page tests) and mosquitto (MQTT tests) of Debian; a test that lacks one is skipped and says so
	@{ command -v chromium && command -v mosquitto; } >/dev/null || [ $$(id -u) -ne 0 ] || { \
	  echo "installing chromium and mosquitto for the tests" >&2; \
	  { apt-get update -q && apt-get install -q -y --no-install-recommends chromium mosquitto; } >&2 || true; }

lock: .venv/dev.stamp ## pin and hash what pyproject.toml asks for (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --extra build pyproject.toml -o requirements.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove everything that set-up and runs have made
	@rm -rf .venv .vm build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache certs/dev
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'error[setup.python] Troth needs Python 3.11 or later;  fix:  apt-get install python3, or make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ $$(id -u) -eq 0 ] && apt-get install -q -y python3-venv >&2; } || { \
	  echo 'error[setup.venv] this Python has no venv module;  fix:  sudo apt-get install python3-venv' >&2; exit 1; }
	@echo 'making .venv' >&2 && $(PYTHON) -m venv .venv >&2

.venv/run.stamp: requirements.lock pyproject.toml | .venv/bin/python
	@echo 'installing what Troth runs on' >&2
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock >&2
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/run.stamp
	@echo 'installing what the tests need' >&2
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock >&2
	@touch $@

.vm/stamp: boards/emulator/vm.py boards/emulator/debian.py boards/emulator/pins.py | .venv/run.stamp
	@echo 'fetching the MicroPython VM' >&2
	@$(BIN)/python boards/emulator vm >&2
	@mkdir -p .vm && touch $@
