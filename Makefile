# Two commands matter: `make demo` examines a bundled picture, `make test` runs every check.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Small least squares in many threads slow each other down; one thread is several times faster here.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test check docs size examples results clean

demo: $(VENV)/.installed  ## examine a bundled forged picture; print the verdict and where the report lies
	$(BIN)/ifdl examine examples/splice.jpg --out demo

test: check  ## run every check and test
	$(BIN)/python -m pytest

check: $(VENV)/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.developing  ## build the documentation site into build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

size:  ## print what a plain `pip install .` weighs
	@work=$$(mktemp -d) && $(PYTHON) -m venv $$work/venv \
	  && $$work/venv/bin/python -m pip install --quiet --disable-pip-version-check . \
	  && site=$$($$work/venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])') \
	  && du -sm $$site | awk '{print "site-packages: " $$1 " MB"}' \
	  && ! test -e $$site/torch && ! test -e $$site/torchvision; status=$$?; rm -rf $$work; exit $$status

examples: $(VENV)/.developing  ## make the bundled pictures anew
	$(BIN)/python examples/make.py

results: $(VENV)/.developing  ## measure every clue anew (needs ../shared)
	$(BIN)/python benchmarks/clues.py --out results/clues.json

clean:
	rm -rf $(VENV) demo build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it and try again." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.developing: pyproject.toml | $(BIN)/python
	$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.installed
