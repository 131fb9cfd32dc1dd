# `make run` starts the whole system, `make test` tests it; both install what they need first.
# Another interpreter: `make run PYTHON=python3.12`.
PYTHON ?= python3

.PHONY: run test lint requirements

run:
	@exec $(PYTHON) bootstrap.py run

test:
	@exec $(PYTHON) bootstrap.py test

lint:
	@exec $(PYTHON) bootstrap.py lint

# Pin every package again, with hashes (needs `uv`, see requirements/dev.in).
requirements:
	@for name in base test dev; do \
	  .venv/bin/python -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	    --upgrade requirements/$$name.in --output-file requirements/$$name.txt; \
	done
