# make lab        set up, then open JupyterLab on the first notebook
# make test       set up, then run every test: units, notebook checks, pytest --nbval
# make notebooks  run all notebooks in fresh kernels and write them back normalised, and draw the ledger
# make evidence   repeat the experiments that are too long for a notebook (about four hours)
# make bench      the tutorial's script and the course's recipes side by side, the loader, the drawing pad (ten minutes)
# make bench-course   time and memory of every notebook, and of JupyterLab
#
# TORCH=cpu       install PyTorch without CUDA (Linux without a GPU: 200 MB instead of several GB)
# PYTHON=python3.12   build .venv with that Python

PYTHON ?= python3
BIN    := .venv/bin
# In a container one is often root, and JupyterLab refuses root unless told.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

ifeq ($(TORCH),cpu)
INSTALL := $(BIN)/python -m pip install --quiet uv && $(BIN)/uv pip install --python $(BIN)/python --torch-backend=cpu
else ifeq ($(TORCH),)
INSTALL := $(BIN)/python -m pip install
else
$(error TORCH=$(TORCH) is not known. Use TORCH=cpu, or leave it out)
endif

.PHONY: lab test notebooks evidence bench bench-course clean
.DELETE_ON_ERROR:

lab: .venv/learner-ready
	@echo "Opening JupyterLab on notebooks/00_start_here.ipynb (stop it with Ctrl-C)"
	$(BIN)/jupyter lab $(AS_ROOT) --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

test: .venv/test-ready
	@echo "Running unit tests, notebook checks and all notebooks (some minutes)"
	$(BIN)/pytest

notebooks: .venv/test-ready
	$(BIN)/python -m tools.run_notebooks
	$(BIN)/python -m tools.ledger

evidence: .venv/test-ready
	$(BIN)/python -m experiments

bench: .venv/test-ready
	$(BIN)/python -m tools.bench.loader
	$(BIN)/python -m tools.bench.drawing
	$(BIN)/python -m tools.bench.side_by_side

bench-course: .venv/test-ready
	$(BIN)/python -m tools.bench.course

clean:
	rm -rf .venv

# The two stamps below are newer than the files they depend on: the second call installs nothing.
.venv/learner-ready: requirements.txt pyproject.toml | .venv/bin/python
	@echo "Installing what the notebooks need into .venv (the first time takes some minutes)"
	$(INSTALL) -r requirements.txt
	@touch $@

.venv/test-ready: .venv/learner-ready
	@echo "Installing what the tests need into .venv"
	$(INSTALL) -e '.[test]'
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "This course needs Python 3.11 or newer; $(PYTHON) is not. Name another: make PYTHON=python3.12 lab"; exit 1; }
	@echo "Creating .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "Python could not make .venv. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
