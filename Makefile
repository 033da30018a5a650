# Two commands do everything on a machine with Python 3.11 to 3.13 and make:
#   make backtest   set up, run the main job on the simulated market, print where the report is
#   make test       set up, lint, types, all tests
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: backtest test install check lint types tests benchmarks learning-benchmarks soak clean

backtest: $(VENV)/.installed
	$(RUN) run.py backtest

test: $(VENV)/.installed-dev check

install: $(VENV)/.installed

$(VENV)/.created:
	$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" \
	  || { echo "error: Python 3.11, 3.12 or 3.13 is needed; try make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	touch $@

# torch first and pinned: a later resolution then finds it installed, in its CPU build if there is one
$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(RUN) -m pip install -q -c constraints.txt torch
	$(RUN) -m pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(RUN) -m pip install -q -c constraints.txt -e ".[dev]"
	touch $@

check: lint types tests

lint:
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types:
	$(RUN) -m mypy

tests:
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n auto

benchmarks: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(RUN) benchmarks/backtest.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/store.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/option_maths.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/environment.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/training.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/report.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/theta_stream.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/theta_market.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/theta_download.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/journal.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/ib.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/live.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/dashboard.py

# what learning is worth, on the simulated market (about half an hour on two cores)
learning-benchmarks: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(RUN) benchmarks/evaluation.py 500000 5 4 250
	OMP_NUM_THREADS=1 $(RUN) benchmarks/evaluation.py two-seeds
	OMP_NUM_THREADS=1 $(RUN) benchmarks/feedback.py 10 2
	OMP_NUM_THREADS=1 $(RUN) benchmarks/policy_update.py 10

# twenty million messages through the stream: is memory still flat? (about four minutes)
soak: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(RUN) benchmarks/theta_soak.py

clean:
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
