# Everything runs in a virtual environment that the first command sets up by itself.
#
#   make book PYTHON=python3.12    another interpreter (3.10 or newer)
#   make book VENV=/some/folder    another place for the environment
#   make rehearsal CHAPTERS="flow"    these notebooks alone

PYTHON ?= python3
VENV ?= .venv
# Tools are called through its python: their own scripts break when the tree is moved.
BIN ?= $(VENV)/bin

# What was installed, and for which folder. A new pin, or a copy of the tree, installs again.
KEY := $(shell { cat requirements.txt pyproject.toml; pwd; } | cksum | cut -d ' ' -f 1)
INSTALLED := $(VENV)/.installed-$(KEY)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help book html pages test lint notebooks rehearsal pdf print clean

help: ## print this list
	@echo "Targets:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-14s %s\n", $$1, $$2 }'

book: $(INSTALLED) ## run every chapter and build _build/html/index.html; any warning is an error
	@$(MAKE) --no-print-directory html

test: $(INSTALLED) ## test the package (pytest nclib), then the book and the repository (pytest tests)
	@echo "==> Testing the package"
	@$(BIN)/python -m pytest nclib
	@echo "==> Testing the book and the repository"
	@$(BIN)/python -m pytest tests -n 2 --dist loadfile

lint: $(INSTALLED) ## check style (ruff), formatting (ruff format) and types (pyright)
	@echo "==> Checking style, formatting and types"
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/python -m pyright --pythonpath $(BIN)/python

notebooks: $(INSTALLED) ## write notebooks/ anew from the chapters and the built book's numbers
	@$(MAKE) --no-print-directory html
	@echo "==> Writing the notebooks"
	@PYTHONPATH=book/_ext $(BIN)/python -m notebook_edition
	@$(MAKE) --no-print-directory html

rehearsal: $(INSTALLED) ## run every notebook where only the built wheel is installed
	@PYTHONPATH=book/_ext $(BIN)/python -m notebook_edition.rehearsal $(CHAPTERS)

pdf: $(INSTALLED) ## print the whole book as _build/pdf/neural-collapse-mse-VERSION.pdf (needs LaTeX)
	@$(MAKE) --no-print-directory print

clean: ## remove the built book, its execution cache and all other caches; keep .venv
	@echo "==> Removing _build and the caches"
	@rm -rf _build build *.egg-info .pytest_cache .ruff_cache .hypothesis .benchmarks
	@find nclib tests book benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The book, with whatever is installed in BIN. It starts from clean doctrees because a second strict
# build on old ones hides its warnings, and it does nothing when everything that a page is made of is
# as it was: files, versions, the edition in the footer. The top index.html and the stamp are written
# last: a build that failed or was interrupted has none.
SOURCES := book nclib _config.yml _toc.yml pyproject.toml requirements.txt CITATION.cff CHANGELOG.md notebooks
BUILT := _build/html/.built
STATE = { find $(SOURCES) -type f ! -name '*.py[co]' ! -path '*/tests/*' 2> /dev/null | LC_ALL=C sort \
  | tr '\n' '\0' | xargs -0 cksum; git rev-parse HEAD; git status --porcelain --untracked-files=no; \
  echo "$$BOOK_URL $$SOURCE_DATE_EPOCH"; } 2> /dev/null | cksum

html:
	@if [ -f $(BUILT) ] && [ -f _build/html/index.html ] && [ "$$(cat $(BUILT))" = "$$($(STATE))" ]; \
	  then echo "==> Nothing has changed since the book was built"; \
	  else $(MAKE) --no-print-directory pages; fi
	@echo "==> The book: open _build/html/index.html"

pages:
	@echo "==> Building the book (a chapter runs when it, the library or a pin has changed)"
	@rm -rf _build/html _build/.doctrees _build/jupyter_execute
	@state=$$($(STATE)); $(BIN)/python -c "from jupyter_book.cli.main import main; main()" \
	  build . -W --keep-going -n && echo "$$state" > $(BUILT) \
	  || { rm -f _build/html/index.html; echo "==> The book is NOT built, see above" >&2; exit 1; }
	@test -f _build/html/index.html

# The printed book, with whatever is installed in BIN. The chapters come from the same cache as for
# the pages: after `make book` none runs again.
print:
	@$(BIN)/python book/_ext/press.py check
	@echo "==> Writing the book as LaTeX (a chapter runs when it, the library or a pin has changed)"
	@rm -rf _build/latex _build/pdf _build/.doctrees _build/jupyter_execute
	@$(BIN)/python -c "from jupyter_book.cli.main import main; main()" build . --builder latex \
	  -W --keep-going -n || { echo "==> The PDF is NOT made, see above" >&2; exit 1; }
	@$(BIN)/python book/_ext/press.py

$(INSTALLED):
	@command -v $(PYTHON) > /dev/null \
	  || { echo "No $(PYTHON) here. Name a Python 3.10 or newer: make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "Python 3.10 or newer is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1)." >&2; \
	       echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@rm -f $(VENV)/.installed-*
	@echo "==> Installing the pinned stack into $(VENV) (once: a few minutes, 5 GB on Linux)"
	@$(VENV)/bin/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv $(VENV) \
	  || { echo "$(PYTHON) cannot make virtual environments (on Debian and Ubuntu:" \
	       "apt install python3-venv)" >&2; exit 1; }
	$(VENV)/bin/python -m pip install --disable-pip-version-check -r requirements.txt
	$(VENV)/bin/python -m pip install --disable-pip-version-check --no-deps \
	  --no-build-isolation -e .
	$(VENV)/bin/python -m pip check
	@touch $@
