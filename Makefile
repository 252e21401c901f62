# make book               the demo book: results/demo/site/index.html
# make book PROFILE=mini  the same from small real data; PROFILE=paper from the published data
# make book PROFILE=paper ON=slurm    its jobs go to a Slurm cluster: config/slurm.yaml
# make figure FIG=fig2    one notebook again, and what it needs
# make pdf                the book for paper: results/demo/datamix-demo.pdf (needs Chromium or Chrome)
# make archive            the book and its code in one self-describing zip
# make test               the demo book, if it is not there yet, and the tests
# make lint · make clean · make env GPU=1

PROFILE ?= demo
PYTHON  ?= python3
CORES   ?= all
FIG     ?=
GPU     ?=
ON      ?=

# Local copies of the data, searched by checksum before anything is downloaded.
export DATAMIX_MIRROR ?= $(abspath $(wildcard ../shared/data))
# One thread a process, processes side by side: two threads on the small matrices of these models are many times slower.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export NUMBA_NUM_THREADS ?= 1

BIN := .venv/bin
# Not Snakemake's lock, which a killed run leaves behind: the Snakefile holds one that ends with its process.
SNAKEMAKE := $(BIN)/python -m snakemake --nolock --rerun-incomplete --config profile=$(PROFILE)
ifeq ($(ON),)
SNAKEMAKE += --cores $(CORES) --quiet all
else ifeq ($(ON),slurm)
SNAKEMAKE := $(BIN)/python -m datamix slurm --profile $(PROFILE) && \
  $(SNAKEMAKE) --workflow-profile results/$(PROFILE)/slurm
else
$(error ON=$(ON) is not known: leave it out to run here, or write ON=slurm)
endif
SITE := results/$(PROFILE)/site/index.html

.PHONY: book figure test test-machines test-faults lint record record-rules archive pdf clean clean-all env bench record-bench bench-data rehearse bench-geneformer calibrate
.DEFAULT_GOAL := book

book: .venv/complete
	@$(SNAKEMAKE) -- $(SITE)
	@echo "The book: $(SITE)"

figure: .venv/complete
	@test -n "$(FIG)" || { echo "Name a figure, for example: make figure FIG=fig2 (one of: $(basename $(notdir $(wildcard notebooks/*.py))))"; exit 2; }
	@test -f notebooks/$(FIG).py || { echo "There is no notebooks/$(FIG).py; there are: $(basename $(notdir $(wildcard notebooks/*.py)))"; exit 2; }
	@$(SNAKEMAKE) --forcerun results/$(PROFILE)/notebooks/$(FIG).ipynb -- results/$(PROFILE)/notebooks/$(FIG).ipynb
	@echo "Its panels: results/$(PROFILE)/panels/"

test: .venv/complete
	@$(MAKE) --no-print-directory book PROFILE=demo
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# The demo again with other instruction sets and other seeds, and the tests that read its results: most of an hour.
test-machines: .venv/complete
	@$(BIN)/python .ci/machines

# The campaign of faults: servers that lie, settings and files that are wrong or hostile. Keeps recorded/faults.json.
test-faults: .venv/complete
	@$(BIN)/python -m pytest tests/faults -m "" --record-faults

lint: .venv/complete
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

record: .venv/complete
	@$(MAKE) --no-print-directory book PROFILE=$(PROFILE)
	@$(BIN)/python -m datamix record --profile $(PROFILE)

# The book, its tables and its code in one self-describing zip: results/<profile>/datamix-<profile>.zip.
archive: .venv/complete
	@$(MAKE) --no-print-directory book PROFILE=$(PROFILE)
	@$(BIN)/python -m datamix archive --profile $(PROFILE)

# The book for paper: results/<profile>/datamix-<profile>.pdf.
pdf: .venv/complete
	@$(MAKE) --no-print-directory book PROFILE=$(PROFILE)
	@$(BIN)/python -m datamix pdf --profile $(PROFILE)

bench: .venv/complete
	@$(BIN)/python -m benchmarks.training

# Keep the last `make bench` with the project, for readers who have not measured: recorded/bench/.
record-bench: .venv/complete
	@$(BIN)/python -m benchmarks.training --record

# Keep the times of the last runs of the demo and mini books with the project, for `datamix plan`: recorded/bench/.
record-rules: .venv/complete
	@$(BIN)/python -m benchmarks.rules

# Files of 60,000 and 120,000 cells × 10,000 genes, dense, by cells and by genes: memory and rate of their preparation.
# 200,000 × 20,000: .venv/bin/python -m benchmarks.preparation --cells 200000 --genes 20000
bench-data: .venv/complete
	@$(BIN)/python -m benchmarks.preparation

# The paper's run at a fiftieth and a tenth of its size, on simulated files in the published layouts: most of an hour,
# and 30 GB of disk. Keep it with `make record-bench`.
rehearse: .venv/complete
	@$(BIN)/python -m benchmarks.rehearsal

bench-geneformer: .venv/complete
	@$(BIN)/python -m benchmarks.geneformer

# How often two sets of trainings of one mixture are called different; keep it with `make record-bench`.
calibrate: .venv/complete
	@$(BIN)/python -m benchmarks.calibration

clean:
	rm -rf results .snakemake

clean-all: clean
	rm -rf data .venv

env: .venv/complete

.venv/complete: requirements.lock requirements-cuda.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) -V 2>&1`. Name another: make book PYTHON=python3.11"; exit 1; }
	@echo "Making the environment in .venv (once; a few minutes, 3 GB) …"
	@$(PYTHON) -m venv --clear .venv
	@test -z "$(GPU)" || $(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements-cuda.lock
	@# What builds the packages that come as source only (connection-pool, docrep): by hash as all, or pip takes the latest.
	@awk '/^(setuptools|wheel|packaging)==/ {on = 1} on {print} !/\\$$/ {on = 0}' requirements.lock > .venv/build.lock
	@$(BIN)/python -m pip install -q --no-deps --require-hashes -r .venv/build.lock
	@$(BIN)/python -m pip install -q --no-build-isolation --require-hashes -r requirements.lock || { \
	  echo "No CPU build of torch is at hand; installing the CUDA build with its libraries (4 GB more) …"; \
	  $(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements-cuda.lock && \
	  $(BIN)/python -m pip install -q --no-build-isolation --require-hashes -r requirements.lock; }
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@
