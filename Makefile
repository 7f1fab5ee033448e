# make run    measure every device found and print days versus hours
# make test   lint, types, and every test
# make test-fast   the tests of functions alone, in less than a minute
# All make .venv first. A torch or jax that the Python already has is used as it is.

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
ARGS ?=
BIN := $(VENV)/bin
PRESENT := $(shell $(PYTHON) -c 'import importlib.util as u; print(*[n for n in ("torch", "jax", "jaxlib") if u.find_spec(n)])')
# The variable reaches the environments, too, that pip makes to build packages in: what builds them is pinned as well.
INSTALL := PIP_CONSTRAINT=$(abspath $(VENV))/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS)

.PHONY: run test test-fast lint docs benchmark benchmark-quality benchmark-forecast proof proof-nights proof-quiet proof-real proof-rules proof-ref proof-workflow proof-unchanged proof-quick proof-cost proof-soak proof-faults proof-fuzz proof-gpu gpu-wheels golden clean

run: $(VENV)/.run
	$(BIN)/bench run $(ARGS)

test: lint
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

# Without those that start processes or a browser, and those that train or compile:
test-fast: $(VENV)/.test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m 'not process and not slow' $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation as a site, in site/; warnings are errors.
docs: $(VENV)/.test
	$(BIN)/python -m mkdocs build --strict --quiet

# Each figure that docs/speed.md gives; on an otherwise idle machine. Fewer groups and pairs of processes take less time and give wider intervals:
GROUPS ?= 3
PAIRS ?= 16
benchmark: $(VENV)/.peers
	$(BIN)/python tests/benchmarks/harness_cost.py $(PAIRS)
	$(BIN)/python tests/benchmarks/start_up.py
	$(BIN)/python tests/benchmarks/interruption.py
	$(BIN)/python tests/benchmarks/parent_cost.py
	$(BIN)/python tests/benchmarks/report_speed.py
	$(BIN)/python tests/benchmarks/decode.py
	$(BIN)/python tests/benchmarks/files.py --groups $(GROUPS)
	$(BIN)/python tests/benchmarks/peers.py --groups $(GROUPS)

# What trainings reach on real images, beside the published recipe (ours sixteen minutes, theirs 100 epochs of half a minute; DATA is an npz in MedMNIST's layout):
benchmark-quality: $(VENV)/.test
	$(BIN)/python tests/benchmarks/quality.py $(DATA) --checkpoint $(VENV)/published-recipe.pt

# Twenty trainings predicted, then done (18 minutes):
benchmark-forecast: $(VENV)/.run
	$(BIN)/bench forecast-check --backend cpu --backend jax --forecasts 10 --seconds 1.5 --images 8192 --epochs 5

# The false-alarm rate and the power that docs/verdicts.md gives: a table, and docs/power.svg.
proof: $(VENV)/.test
	$(BIN)/python tests/proof/power.py 10000 --picture docs/power.svg

# The rate of false alarms that it gives for bench history, over simulated nights (minutes):
proof-nights: $(VENV)/.test
	$(BIN)/python tests/proof/nights.py 2000

# The other figures of docs/verdicts.md; on an otherwise idle machine. What makes processes differ (7 minutes):
proof-quiet: $(VENV)/.test
	$(BIN)/python tests/proof/quiet.py 4

# Real checks of unchanged and of slower code, into tests/proof/traces.json:
MINUTES ?= 60
proof-real: $(VENV)/.test
	$(BIN)/python tests/proof/real.py $(MINUTES)

# Our rule and others' on those traces (seconds):
proof-rules: $(VENV)/.test
	$(BIN)/python tests/proof/rules.py

# This project checked against its own last commit, unchanged and with a framework option switched off (5 minutes):
proof-ref: $(VENV)/.test
	$(BIN)/python tests/proof/regression.py

# .github/workflows/performance.yml executed as it is written, as a pull request of the last commit (5 minutes):
proof-workflow: $(VENV)/.test
	$(BIN)/python tests/proof/workflow.py

# A rebuilding changes no output: command lines and pages of this working tree against an earlier commit's, each in an environment of its own (15 minutes):
proof-unchanged: $(VENV)/.test
	$(BIN)/python tests/proof/unchanged.py $(ARGS)

# And costs no speed: quick runs of both, block by block in turns; on an otherwise idle machine:
proof-quick: PAIRS = 8
proof-quick: $(VENV)/.test
	$(BIN)/python tests/proof/quick_runs.py $(PAIRS) $(ARGS)

# And what proof costs in a default run, beside the runs of a commit before the proof became what it is (a quarter of an hour):
proof-cost: $(VENV)/.test
	$(BIN)/python tests/proof/cost_of_belief.py $(ARGS)

# Honest trials on a busy machine, and cheats there (hours):
proof-soak: $(VENV)/.test
	$(BIN)/python tests/proof/soak.py $(ARGS)

# Faults of many kinds injected into real runs, as docs/faults.md describes them; as root also those of disks (a quarter of an hour):
proof-faults: $(VENV)/.test
	$(BIN)/python tests/proof/faults.py $(ARGS)

# Readers of records, journals, tables, archives and options, given 10,000 damaged and invented inputs (minutes):
proof-fuzz: $(VENV)/.test
	$(BIN)/python tests/proof/fuzz.py $(ARGS)

# Acceptance of a GPU, step by step (docs/gpu-acceptance.md); ARGS=--rehearse carries out the same steps on the host, in a few minutes:
proof-gpu: $(VENV)/.test
	$(BIN)/python tests/proof/gpu.py gpu-results $(ARGS)

# What a GPU machine without a network lacks, as wheels to carry there:
gpu-wheels: $(VENV)/.test
	$(BIN)/python tests/proof/gpu_wheels.py gpu-wheels --without vl-convert-python $(ARGS)

golden: $(VENV)/.run
	$(BIN)/bench verify --write-golden --size tiny --size small --size standard
	$(BIN)/bench verify --write-golden --workload dermamnist --size tiny
	$(BIN)/bench verify --write-golden --workload melanoma-shallow --size tiny --size small

$(VENV)/constraints.txt: constraints.txt Makefile
	$(PYTHON) -m venv $(if $(PRESENT),--system-site-packages) $(VENV)
	grep -v -E '^($(if $(PRESENT),$(subst $() ,|,$(strip $(PRESENT))),none))==' constraints.txt > $@

$(VENV)/.run: $(VENV)/constraints.txt pyproject.toml
	@echo "installing into $(VENV) …"
	$(INSTALL) -e '.[torch,jax,data]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(INSTALL) -e '.[torch,jax,data,dev]'
	@touch $@

$(VENV)/.peers: $(VENV)/.test
	$(INSTALL) -e '.[torch,jax,data,dev,peers]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
