# `make serve` and `make test` set up all they need in .venv; `make help` lists the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PORT ?= 3000
HOST ?= 127.0.0.1
PYTHON ?= $(firstword $(foreach v,python3 python3.14 python3.13 python3.12 python3.11,$(shell $(v) -c 'import sys; sys.version_info >= (3, 11) and print("$(v)")' 2>/dev/null)))
# Exactly one of the two ONNX Runtime packages, the GPU's where there is a GPU.
ORT := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

PIP_COMPILE := $(BIN)/pip-compile --quiet --strip-extras --no-annotate --no-header --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

export BENTOML_DO_NOT_TRACK := true

# The database of known vulnerabilities that pip-audit asks.
OSV := https://api.osv.dev

# Public images that packages bring; their licences stand on the page of figures.
IMAGES := elpv-dataset==1.0.0.post1 conformal-clip-data==0.1.4

# Tests run in one process per core. One thread each: two that each start a thread per core wait for one another.
JOBS ?= $(shell env -u OMP_NUM_THREADS nproc)
QUICK := not slow and not gpu and not chaos
ALONE = $(shell grep -rl "mark.alone" tests --include="*.py") -m "$(QUICK) and alone"
SIDE_BY_SIDE := -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "$(QUICK) and not alone"
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: serve
serve: .venv/.serve-$(ORT) ## serve the committed bundle on PORT (default 3000); TANDEM_* variables are passed on
	exec $(BIN)/python -m service serve --host $(HOST) --port $(PORT)

.PHONY: setup
setup: .venv/.dev-$(ORT) ## install everything for development

.PHONY: check
check: setup ## lint, types, import rules, known vulnerabilities in what is pinned
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@curl --silent --output /dev/null --head --max-time 5 $(OSV); case $$? in \
	5|6|7|28) echo "WARNING: constraints.txt was NOT checked for known vulnerabilities: $(OSV) cannot be reached" >&2;; \
	*) PIP_AUDIT_LOGLEVEL=ERROR timeout 300 $(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip \
		--vulnerability-service osv --progress-spinner off --desc off;; \
	esac

.PHONY: test
test: setup ## unit and integration tests on the CPU
	$(PYTEST) $(SIDE_BY_SIDE)
	$(PYTEST) $(ALONE)

.PHONY: coverage
coverage: setup ## the same tests, with their coverage of models and service; fails below 90 %
	$(PYTEST) $(SIDE_BY_SIDE) --cov --cov-report=
	$(PYTEST) $(ALONE) --cov --cov-append --cov-report=term

.PHONY: test-slow
test-slow: .venv/.slow ## the slow suites: trainings, the whole test set over HTTP
	$(PYTEST) -m slow

.PHONY: mutation
mutation: setup ## the share of SAMPLE (default 150) small changes to service/inference and service/gateway that a test notices
	$(BIN)/python -m tools.mutation_score --sample $(or $(SAMPLE),150)

.PHONY: test-gpu
test-gpu: setup ## what needs an NVIDIA GPU
	$(BIN)/python -m pytest -m gpu

.PHONY: proto
proto: setup ## compile the messages of gRPC
	$(BIN)/python -m grpc_tools.protoc -I service/grpc --python_out=service/grpc --pyi_out=service/grpc service/grpc/*.proto

.PHONY: docs
docs: setup ## the documentation site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: chaos
chaos: setup ## crashes, floods and fuzz against a real server; writes docs/reliability.md from the run
	$(BIN)/python -m pytest tests/chaos -m "chaos or not chaos" --reliability docs/reliability.md $(ARGS)

.PHONY: train
train: setup ## train the default bundle; ARGS="--preset quick" and other options are passed on
	$(BIN)/python -m training fashion-mnist $(ARGS)

.PHONY: loadtest
loadtest: setup ## start the service and send it load for 60 s; ARGS="--max-p99-ms 50" sets an objective
	$(BIN)/python -m loadtests run --seconds 60 $(ARGS)

.PHONY: bench
bench: setup ## compare with other servers of the same bundle, into docs/benchmarks.md; ARGS="--peers mosec --rounds 2"
	$(BIN)/python -m loadtests bench --docs docs/benchmarks.md $(ARGS)

.PHONY: proof
proof: setup ## Tandem on public images beside ways without it, into docs/proof.md; hours; ARGS="--data digits --seeds 2"
	$(BIN)/python -m pip install --quiet --no-deps $(IMAGES)
	$(BIN)/python -m tools.proof $(ARGS)

.PHONY: bento
bento: setup ## build a bento, the archive that BentoML deploys, with its bill of materials; TARGET=cpu (default) or gpu
	mkdir -p build
	$(PIP_COMPILE) --constraint constraints.txt --extra $(or $(TARGET),cpu) --output-file build/requirements.txt pyproject.toml
	$(BIN)/cyclonedx-py requirements build/requirements.txt --pyproject pyproject.toml --output-file build/sbom.json
	$(BIN)/bentoml build

# Docker where its engine runs, else buildah without one; BUILD_FLAGS are passed on.
BUILDER = $(shell docker info >/dev/null 2>&1 && echo docker build || echo buildah bud --isolation chroot --format docker --layers)

.PHONY: image
image: ## build the container image; TARGET=cpu (default) or gpu
	$(BUILDER) $(BUILD_FLAGS) --target $(or $(TARGET),cpu) -t tandem:$(or $(TARGET),cpu) .

.PHONY: lock
lock: setup ## resolve pyproject.toml anew into constraints.txt
	$(PIP_COMPILE) --upgrade --extra cpu,gpu,train,boosting,pretrained,lite2,huggingface,heic,loadtest,dev,docs,grpc,scoring,s3,gcs,azure,ray,feedback,signing,mlflow,chart --output-file constraints.txt pyproject.toml
	sed -i 's/+cpu$$//' constraints.txt

.venv/.serve-%: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP_INSTALL) -e '.[$*]'
	touch $@

.venv/.dev-%: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP_INSTALL) -e '.[$*,train,boosting,pretrained,lite2,loadtest,grpc,scoring,s3,feedback,signing,mlflow,dev,docs]'
	touch $@ .venv/.serve-$*

.venv/.slow: setup
	$(PIP_INSTALL) -e '.[ray,chart]'
	touch $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Tandem needs Python 3.11 or newer; none was found in PATH" >&2; exit 1; }
	@$(PYTHON) -m ensurepip --version >/dev/null 2>&1 || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq python3-venv; } \
		|| { echo "$(PYTHON) cannot make virtual environments; install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
