# make demo: a spoken question in, a talking face out.   make test: the tests.   Needs Python >= 3.11, pip, git, make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The tests start some 250 daemons: each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo setup test test-long check clean debian

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("avatard needs Python 3.11 or newer; give one with: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m virtualenv $(VENV) || \
		{ echo "no virtual environment can be made: sudo apt install python3-venv, or pip install --user virtualenv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

# llama.cpp is compiled once, for some minutes (pip keeps the wheel); its tests miss it where that cannot be done.
# xllamacpp is llama-server as a wheel: a real server for the platform openai.
$(VENV)/.ready-long: $(VENV)/.ready-test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[llama-cpp]' || \
		echo "llama.cpp could not be compiled: sudo apt install g++"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt xllamacpp || \
		echo "there is no wheel of xllamacpp for this machine"
	@touch $@

demo: setup
	$(BIN)/avatard demo

debian:
	@sh tests/debian.sh

# The files with a marker: to read all of them takes 5 s of each process.
marked = $$(grep -rl 'pytest.mark.$(1)' --include='test_*.py' tests | sort)

test: $(VENV)/.ready-test debian
	$(BIN)/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder -m "not long and not alone and not pair"
	$(BIN)/python -m pytest -q -n 2 -m "pair and not long" $(call marked,pair)
	$(BIN)/python -m pytest -q -m "alone and not long" $(call marked,alone)

test-long: $(VENV)/.ready-long debian
	$(BIN)/python -m pytest -q -m long -o faulthandler_timeout=0

check: $(VENV)/.ready-test
	$(BIN)/ruff check avatard tests
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

clean:
	rm -rf $(VENV) demo build *.egg-info
