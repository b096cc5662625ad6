# Slimception's commands; `make help` lists them. A fresh machine needs Python 3.11 or later and make.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
PORT ?= 8000
AWS_PORT ?= 4566
SOURCE ?= inception_v3
TARGET ?= 3.13
ARCH ?= x86_64
STAGE ?= dev
BUCKET ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

run: $(VENV)/.serve ## serve the default model on PORT (default 8000) and try it with a sample picture
	@$(BIN)/python -m localaws run --port $(PORT)

test: check ## everything that CI runs: check, the served code under every Python and engine found, all tests
	tests/matrix.sh
	$(BIN)/python -m pytest

check: $(VENV)/.dev ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

model: $(VENV)/.convert ## convert SOURCE (default inception_v3) into models/, with ARGS
	$(BIN)/python -m convert $(SOURCE) $(ARGS)

digits: $(VENV)/.convert ## train the embedded default anew
	$(BIN)/python -m convert digits --out chalicelib/models

convert-env: $(VENV)/.convert ## install what `python -m convert` needs (TensorFlow among it)

layers: $(VENV)/.dev ## build and check the layers for Python TARGET (default 3.13) and ARCH (x86_64 or arm64)
	$(BIN)/python -m layers build --python $(TARGET) --arch $(ARCH)

package: layers ## a CloudFormation template of STAGE (default dev) and its zips, in build/package
	$(BIN)/python -m layers package --python $(TARGET) --arch $(ARCH) --stage $(STAGE)

deploy: .venv-deploy-$(TARGET)/.ready ## publish the layers and deploy STAGE, under Python TARGET (BUCKET for layers over 50 MB)
	.venv-deploy-$(TARGET)/bin/python -m layers build --python $(TARGET) --arch $(ARCH)
	.venv-deploy-$(TARGET)/bin/python -m layers publish --python $(TARGET) --arch $(ARCH) --stage $(STAGE) $(if $(BUCKET),--bucket $(BUCKET))
	.venv-deploy-$(TARGET)/bin/chalice deploy --stage $(STAGE)
	.venv-deploy-$(TARGET)/bin/python -m layers mappings --stage $(STAGE)
	.venv-deploy-$(TARGET)/bin/python -m layers workflow --stage $(STAGE)
	.venv-deploy-$(TARGET)/bin/python -m layers alarms --stage $(STAGE)

up: $(VENV)/.dev ## AWS on this machine, on AWS_PORT (default 4566), with the app deployed into it; Ctrl-C ends it
	$(BIN)/python -m localaws up --port $(AWS_PORT) $(ARGS)

batch-proof: $(VENV)/.dev ## 10,000 pictures on this machine's AWS, functions killed and messages doubled: each one result
	$(BIN)/python -W ignore -m benchmarks.batch.proof

tune: $(VENV)/.dev ## the best memory size for each bundle, on this machine: table, pictures, JSON; with ARGS
	$(BIN)/python -W ignore -m benchmarks.tune $(ARGS)

workflow: $(VENV)/.dev ## two models compared by the state machine on this machine's AWS, to a report (ARGS="--fail timeout")
	$(BIN)/python -W ignore -m benchmarks.workflow $(ARGS)

bench: $(VENV)/.dev ## the README's figures, measured on this machine
	$(BIN)/python -m benchmarks.inception.latency
	$(BIN)/python -m benchmarks.inception.on_digits
	$(BIN)/python -m benchmarks.cold_start.__main__

clean: ## remove environments, builds and caches; models/ stays
	rm -rf .venv* build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Each step of the environment adds to the one before it. Hashes are checked, so that nothing is resolved anew.
$(VENV)/.serve: layers/requirements.txt requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; name it: make run PYTHON=/path/to/python3"; exit 2; }
	@echo "Installing the runtime into $(VENV) ($$($(PYTHON) --version)) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --no-deps --require-hashes -r layers/requirements.txt
	@$(PIP) --no-warn-conflicts $$(grep -E '^(boto3|chalice|tqdm)==' requirements-dev.txt) # LiteRT's own needs are left out on purpose
	@touch $@

$(VENV)/.convert: $(VENV)/.serve convert/requirements.txt
	@echo "Installing TensorFlow and the converter's other needs into $(VENV) ..."
	@$(PIP) -r convert/requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.convert requirements-dev.txt
	@echo "Installing the tests' needs into $(VENV) ..."
	@$(PIP) -r requirements-dev.txt
	@touch $@

# Chalice imports the app, and so needs what the layer holds, for the Python that it deploys for.
.venv-deploy-%/.ready: $(VENV)/.serve
	@python=$$($(BIN)/python -m layers.pythons $*); \
	test -n "$$python" || { echo "Chalice deploys for the Python that it runs on, and there is no Python $* here:" \
	  "install one (uv python install $*, or pyenv install $*), or name another: make deploy TARGET=3.12"; exit 2; }; \
	echo "Installing what deploys into .venv-deploy-$* ..."; \
	"$$python" -m venv .venv-deploy-$*
	@.venv-deploy-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r layers/requirements.txt
	@.venv-deploy-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-warn-conflicts \
	  $$(grep -E '^(boto3|chalice|pyelftools|rich)==' requirements-dev.txt)
	@touch $@

.PHONY: help run test check format model digits convert-env layers package deploy up batch-proof workflow tune bench clean
