# make quickstart   installs, then the whole program end to end on this machine
# make test         installs, then the tests
# make test-fast    the tests that need neither Ray, vLLM nor DeepSpeed: 100 seconds
# make test-slow    the long tests that make test leaves out
# make lint         format, rules and types
# make docs         writes the pages and pictures that are generated from the code
.PHONY: setup quickstart test test-fast test-slow lint docs

PYTHON ?= python3
python := .venv/bin/python
stamp := .venv/.setup-done
# A file's tests share their fixtures, so a file stays in one process. Two processes: the tests' machine has two cores.
pytest := $(python) -m pytest --numprocesses 2 --dist loadfile

setup: $(stamp)

$(stamp): pyproject.toml launch/setup.sh launch/torchvision_hook.py $(wildcard launch/requirements/*.txt)
	PYTHON=$(PYTHON) bash launch/setup.sh
	@touch $@

quickstart: setup
	$(python) -m launch quickstart configs/quickstart.toml

test: setup
	$(pytest)

test-fast: setup
	$(pytest) -p tests.without_cluster tests/vaserl tests/test_*.py --ignore tests/test_wheel.py

test-slow: setup
	$(pytest) -m "slow and not gpu"

lint: setup
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m pyright

docs: setup
	$(python) -m launch.configuration
	$(python) -m tests.rooms_picture
