# demo and test work on a fresh machine with Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test torture check format bench fuzz pictures lock clean

# pip of the fresh venv installs exactly what the lock names, then the project itself without its dependencies.
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "bun-router needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: .venv/installed
	$(BIN)/bun-router demo $(if $(KEEP),--keep) $(if $(OUT),--out $(OUT))

test: .venv/installed
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

# Half of it waits for servers, so that three at a time keep two cores busy.
torture: .venv/installed
	$(BIN)/python -m pytest -n 3 --dist worksteal -m 'torture or (faults and not short)' $(if $(TABLE),--table $(TABLE))

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: .venv/installed
	$(BIN)/python -m bench

fuzz: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check atheris || echo "no atheris here: random mutation instead"
	$(BIN)/python -m bench.fuzz --minutes $(or $(MINUTES),60)

# The pictures in docs/pictures, of mails and pages as they are now (needs Chromium).
pictures: .venv/installed
	$(BIN)/python -m bench.pictures

# Resolve the newest versions that pyproject.toml allows (needs uv on the PATH or in .venv).
lock:
	uv pip compile pyproject.toml --extra demo --extra dev --universal --generate-hashes \
	  --python-version 3.11 --no-emit-index-url --no-header --upgrade -o requirements.lock

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
