# `make run` starts the whole system, `make test` tests it; both install what they need first.
# Another interpreter: `make run PYTHON=python3.12`.
PYTHON ?= python3

.PHONY: run test lint requirements

run test lint:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not here: install Python 3.11 or newer"; exit 1; }
	@exec $(PYTHON) bootstrap.py $@

# Pin every package again, with hashes (needs `uv`, see requirements/dev.in).
requirements:
	@for name in base test dev; do \
	  .venv/bin/python -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	    --upgrade requirements/$$name.in --output-file requirements/$$name.txt; \
	done
