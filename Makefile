# Two commands: `make demo` and `make test`. Each makes the environment in .venv first, once.

PYTHON ?= python3
# A CPU build of torch. For a GPU: `make demo TORCH=none`, then install the CUDA build (see README).
TORCH ?= torch==2.13.0
OUT ?= out
PIPELINES ?= scene_detection,face_analysis

BIN := .venv/bin
MEMBERS := -e libs/common -e 'libs/client[render]' -e 'libs/local[servers]' -e services/gateway -e services/scheduler \
	-e services/pipeline-worker -e services/results
PINS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml) requirements-dev.txt Makefile

.PHONY: demo test lint env dev models dali clean help

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## / - /'

.venv/.made: $(PINS)
	@test -x $(BIN)/python || { echo "making the environment in .venv (once)"; $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python tools/torch_cpu.py $(TORCH)
	@echo "installing Frameloom and what it needs"
	@$(BIN)/python -m pip install --quiet $(MEMBERS)
	@touch $@

.venv/.made-dev: .venv/.made
	@echo "installing what the tests need"
	@$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

.venv/.models: .venv/.made
	@$(BIN)/python -m frameloom.worker.models pull
	@touch $@

env: .venv/.made  ## the environment
dev: .venv/.made-dev  ## the environment, with what the tests need
models: .venv/.models  ## models and sample clips, fetched once

demo: .venv/.models  ## annotate a real sample video with the whole system on this machine
	@$(BIN)/python tools/demo.py --out "$(OUT)" --pipelines "$(PIPELINES)"

lint: .venv/.made-dev  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy libs/*/src services/*/src
	$(BIN)/lint-imports
	@for member in libs/* services/*; do \
		(cd $$member && ../../$(BIN)/deptry src --known-first-party frameloom --ignore DEP002) || exit 1; done

test: .venv/.made-dev .venv/.models  ## every check and every test
	$(MAKE) lint
	$(BIN)/python -m pytest $(PYTEST)

.dali/.made: .venv/.made-dev
	@echo "fetching NVIDIA's DALI, some 700 MB, into .dali (once)"
	@$(BIN)/python -m pip install --quiet --target .dali 'nvidia-dali-cuda130>=2.4,<3'
	@touch $@

dali: .dali/.made  ## the tests of decoding by NVIDIA's DALI; without a GPU those of its software half
	PYTHONPATH=.dali $(BIN)/python -m pytest services/pipeline-worker/tests/test_frames_contract.py \
		services/pipeline-worker/tests/test_frames_choosing.py $(PYTEST)

clean:  ## forget the environment and what was made
	rm -rf .venv .dali out .frameloom
