# make lab        set up, then open JupyterLab on your own copies of the notebooks, in my_notebooks/
# make check      a minute: style, types, unit tests, the form of the notebooks
# make test       everything: that, all notebooks, and the course in a browser
# make notebooks  run all notebooks in fresh kernels and write them back normalised, and the README's blocks after them
# make readme     write what the README takes from notebooks and stored results
# make evidence   repeat the experiments that are too long for a notebook (about four hours)
# make bench      the tutorial's script and the course's recipes side by side, the loader, the drawing pad (ten minutes)
# make bench-course   time and memory of every notebook, and of JupyterLab
# make links      do the links that leave the course still lead somewhere? Asks the internet
# make site       the web edition, in site/_build/html
# make lock       pin what Binder installs to what was tested here
#
# PYTHON=python3.12   make .venv with that Python
# TORCH=cpu           another build of PyTorch than the one for this machine: a --torch-backend of uv's, or pip

PYTHON ?= python3
# By this path and as modules: it works from any folder, with spaces in its name too, and after the folder has moved.
RUN    := .venv/bin/python -m
# Two tests at a time, a file of them always in one process: a notebook is one kernel. The files in the order of their
# names, in which those that take long don't come last.
PYTEST := $(RUN) pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder
export TORCH
# The course runs from .venv and is installed there, whatever else a user's settings name.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH
export PIP_USER := 0

.PHONY: lab check test notebooks readme evidence bench bench-course links site lock clean for-learners for-tests
.DELETE_ON_ERROR:

lab: for-learners
	@$(RUN) course_utils lab

check: for-tests
	$(PYTEST) -m "not slow and not browser and not network" tests

test: for-tests
	$(PYTEST)

notebooks: for-tests
	$(RUN) tools.run_notebooks
	$(RUN) tools.readme

readme: for-tests
	$(RUN) tools.readme

evidence: for-tests
	$(RUN) experiments

bench: for-tests
	$(RUN) tools.bench.loader
	$(RUN) tools.bench.drawing
	$(RUN) tools.build_site
	$(RUN) tools.bench.page_drawing
	$(RUN) tools.bench.side_by_side

bench-course: for-tests
	$(RUN) tools.bench.course

links: for-tests
	$(RUN) pytest -m network tests/repo

site: for-tests
	$(RUN) tools.build_site

lock: for-tests
	$(RUN) tools.lock

clean:
	rm -rf .venv

for-learners for-tests:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 7))' || { \
	  echo "No $(PYTHON), or an old one. The course needs Python 3.11 or newer: make PYTHON=python3.12 lab"; exit 1; }
	@"$(PYTHON)" -m tools.environment $(if $(filter for-tests,$@),test,learner)
