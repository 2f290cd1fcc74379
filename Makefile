# make quickstart   installs, then the whole program end to end on this machine
# make test         installs, then the tests
.PHONY: setup quickstart test lint

PYTHON ?= python3
python := .venv/bin/python
stamp := .venv/.setup-done

setup: $(stamp)

$(stamp): pyproject.toml launch/setup.sh launch/torchvision_hook.py $(wildcard launch/requirements/*.txt)
	PYTHON=$(PYTHON) bash launch/setup.sh
	@touch $@

quickstart: setup
	$(python) -m launch.quickstart configs/quickstart.toml

test: setup
	$(python) -m pytest --numprocesses 2 --dist loadfile

lint: setup
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m pyright
