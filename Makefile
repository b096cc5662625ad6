# Slimception's commands; `make help` lists them. A fresh machine needs Python 3.11 or later and make.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
unexport PYTHONDONTWRITEBYTECODE # or every process compiles some 300 modules of the tests anew

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
PORT ?= 8000
AWS_PORT ?= 4566
SOURCE ?= inception_v3
TARGET ?= 3.13
ARCH ?= arm64
STAGE ?= dev
BUCKET ?=
PARAMETERS ?=
ALARM_TOPIC ?=
TRIGGERS ?=
YES ?=
DATA ?=
ARGS ?=
TEST ?=
VENV := .venv
BIN := $(VENV)/bin
# Two processes: while a test of one waits, the other has the processor.
# Tests of rules and documents that need no more than the served code does.
RULES := $(patsubst %,tests/whole/test_%.py,architecture docs golden readme requirements troubleshooting words)
IN_TWO := $(BIN)/python -m pytest -n 2 --dist loadfile
INSTALL := python -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps --require-hashes
FOR_TARGET = --python $(TARGET) --arch $(ARCH)
DEPLOY = .venv-deploy-$(TARGET)/bin/python -m
TOPIC = $(if $(ALARM_TOPIC),--alarm-topic $(ALARM_TOPIC))
LOCKED := serve unit check deploy
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-config --python-version 3.11 $(ARGS)

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

run: $(VENV)/.serve ## serve the default model on PORT (default 8000) and try it with a sample picture
	@$(BIN)/python -m localaws run --port $(PORT)

check: $(VENV)/.check ## format, lint, types: half a minute, without TensorFlow
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: $(VENV)/.unit ## tests of the served code, the rules and the docs, without TensorFlow; TEST=tests/served/test_split.py runs one file
	$(IN_TWO) -q $(or $(TEST),tests/served $(RULES))

test: check $(VENV)/.dev ## everything that CI runs: check, the served code under every Python and engine found, all tests
	tests/matrix.sh
	$(IN_TWO) -m "not alone" --durations=10
	$(BIN)/python -m pytest -m alone

format: $(VENV)/.check ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

model: $(VENV)/.convert ## convert SOURCE (default inception_v3) into models/, with ARGS
	$(BIN)/python -m convert $(SOURCE) $(ARGS)

digits: $(VENV)/.convert ## train the embedded default anew
	$(BIN)/python -m convert digits --out chalicelib/models

convert-env: $(VENV)/.convert ## install what `python -m convert` needs (TensorFlow among it)

layers: $(VENV)/.dev ## build and check the layers for Python TARGET (default 3.13) and ARCH (default arm64, or x86_64)
	$(BIN)/python -m layers build $(FOR_TARGET)

package: layers ## a CloudFormation template of STAGE (default dev) and its zips, in build/package
	$(BIN)/python -m layers package $(FOR_TARGET) --stage $(STAGE)

stack: package ## deploy the packaged stack of STAGE through BUCKET, with the AWS CLI; PARAMETERS="RequestsPerSecond=50" changes some
	@test -n "$(BUCKET)" || { echo "the stack needs a bucket in its region for zips and template: make stack BUCKET=..."; exit 2; }
	aws cloudformation package --template-file build/package/sam.json --s3-bucket $(BUCKET) \
	  --output-template-file build/package/packaged.json --use-json
	aws cloudformation deploy --template-file build/package/packaged.json --s3-bucket $(BUCKET) \
	  --stack-name slimception-$(STAGE) --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
	  --tags app=slimception stage=$(STAGE) $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS))

audit: package .venv-audit/.ready ## checkov over the packaged template; .checkov.yaml has the findings that are accepted, with reasons
	.venv-audit/bin/checkov --file build/package/sam.json

deploy: .venv-deploy-$(TARGET)/.ready ## publish the layers and deploy STAGE, under Python TARGET (BUCKET for layers over 50 MB; ALARM_TOPIC; TRIGGERS)
	$(DEPLOY) layers build $(FOR_TARGET)
	$(DEPLOY) layers publish $(FOR_TARGET) --stage $(STAGE) $(if $(BUCKET),--bucket $(BUCKET)) $(TOPIC)
	$(DEPLOY) layers record --stage $(STAGE)
	.venv-deploy-$(TARGET)/bin/chalice deploy --stage $(STAGE)
	$(DEPLOY) layers mappings --stage $(STAGE)
	$(DEPLOY) layers triggers --stage $(STAGE) $(TRIGGERS)
	$(DEPLOY) layers recursion --stage $(STAGE)
	$(DEPLOY) layers settings --stage $(STAGE)
	$(DEPLOY) layers front --stage $(STAGE) $(TOPIC)
	$(DEPLOY) layers workflow --stage $(STAGE) $(TOPIC)
	$(DEPLOY) layers alarms --stage $(STAGE) $(TOPIC)

destroy: .venv-deploy-$(TARGET)/.ready ## delete STAGE from the account, but for bucket and table (DATA=1: these, too; YES=1: do not ask)
	@$(DEPLOY) layers destroy --stage $(STAGE) $(if $(YES),--yes) $(if $(DATA),--data)

up: $(VENV)/.dev ## AWS on this machine, on AWS_PORT (default 4566), with the app deployed into it; Ctrl-C ends it
	$(BIN)/python -m localaws up --port $(AWS_PORT) $(ARGS)

prove: $(VENV)/.serve ## ask the deployed STAGE what only an account can show, for about four cents; YES=1 does not ask; with ARGS
	@$(BIN)/python -m benchmarks.prove --stage $(STAGE) $(if $(YES),--yes) $(ARGS)

batch-proof: $(VENV)/.dev ## 10,000 pictures on this machine's AWS, functions killed and messages doubled: each one result
	$(BIN)/python -W ignore -m benchmarks.batch.proof

intake-proof: $(VENV)/.dev ## 500 pictures through each trigger on this machine's AWS, doubled, with poison, functions killed
	$(BIN)/python -W ignore -m benchmarks.intake $(ARGS)

tune: $(VENV)/.dev ## the best memory size for each bundle, on this machine: table, pictures, JSON; with ARGS
	$(BIN)/python -W ignore -m benchmarks.tune $(ARGS)

peak: $(VENV)/.dev ## will it hold my peak? a simulation of Lambda's scaling: minutes, plot, dollars, advice; ARGS="--per-minute 1000000 --front http", or --check
	@$(BIN)/python -W ignore -m benchmarks.peak $(ARGS)

workflow: $(VENV)/.dev ## two models compared by the state machine on this machine's AWS, to a report (ARGS="--fail timeout")
	$(BIN)/python -W ignore -m benchmarks.workflow $(ARGS)

remote-model: $(VENV)/.dev ## what a model from S3 costs a cold start, against a layer; ARGS="models/inception_v3 --rounds 9"
	$(BIN)/python -W ignore -m benchmarks.remote_model $(ARGS)

hostile: $(VENV)/.dev ## hostile pictures, requests, bombs and mutants through the function; ARGS="--long --timed" for all of them
	@$(BIN)/python -W ignore -m benchmarks.hostile $(ARGS)

requests: $(VENV)/.dev ## what a warm request takes beyond the inference, by picture and by part; ARGS="--rounds 31"
	$(BIN)/python -W ignore -m benchmarks.requests $(ARGS)

bench: $(VENV)/.dev ## this project beside other engines: times, starts, requests, sizes, dollars, in forty minutes; ARGS for benchmarks.peers
	-$(BIN)/python -W ignore -m benchmarks.cold_start --out build/bench/cold_start.json
	-$(BIN)/python -W ignore -m benchmarks.requests --out build/bench/requests.json
	-$(BIN)/python -W ignore -m benchmarks.arm64 --out build/bench/arm64.json
	$(BIN)/python -W ignore -m benchmarks.peers --processor all $(foreach name,cold_start requests arm64,--include build/bench/$(name).json) $(ARGS)
	$(BIN)/python -m benchmarks.inception.on_digits
	-$(BIN)/python -m benchmarks.fronts
	$(BIN)/python -m benchmarks.batch.folder

lock: $(VENV)/.lock ## write the requirements' hashes anew from the .in files; ARGS=--upgrade takes the newest versions
	$(LOCK) layers/requirements.txt convert/requirements.in $(LOCKED:%=requirements/%.in) requirements/dev.in -o requirements/dev.txt
	for name in $(LOCKED) functions; do $(LOCK) requirements/$$name.in -c requirements/dev.txt -o requirements/$$name.txt || exit 1; done
	$(LOCK) convert/requirements.in -c requirements/dev.txt -o convert/requirements.txt
	for name in tflite-runtime lock audit peers/onnxruntime peers/openvino; do $(LOCK) requirements/$$name.in -o requirements/$$name.txt || exit 1; done

release: check ## tag the version in pyproject.toml, after a look at the contract and CHANGELOG.md
	@version=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml); \
	test -z "$$(git status --porcelain)" || { echo "the working copy has changes: commit them first"; exit 2; }; \
	grep -q "\"$$version\"" chalicelib/api/openapi.py && grep -q "^## $$version" CHANGELOG.md \
	  || { echo "version $$version is missing in chalicelib/api/openapi.py or CHANGELOG.md: write it there first"; exit 2; }; \
	git tag -a "v$$version" -m "Slimception $$version" && echo "tagged v$$version; publish it with: git push origin v$$version"

clean: ## remove environments, builds and caches; models/ stays
	rm -rf .venv* build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Each step of the environment adds to the one before it. Every file is complete and has a hash for every package, so
# that pip resolves nothing; LiteRT's further needs are left out of the serving environment on purpose.
$(VENV)/.serve: layers/requirements.txt requirements/serve.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; name it: make run PYTHON=/path/to/python3"; exit 2; }
	@echo "Installing the runtime into $(VENV) ($$($(PYTHON) --version)) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/$(INSTALL) -r layers/requirements.txt -r requirements/serve.txt
	@touch $@

$(VENV)/.lock: $(VENV)/.serve requirements/lock.txt
	@$(BIN)/$(INSTALL) -r requirements/lock.txt
	@touch $@

$(VENV)/.unit: $(VENV)/.serve requirements/unit.txt
	@$(BIN)/$(INSTALL) -r requirements/unit.txt
	@touch $@

$(VENV)/.check: $(VENV)/.unit requirements/check.txt
	@$(BIN)/$(INSTALL) -r requirements/check.txt
	@touch $@

$(VENV)/.convert: $(VENV)/.serve convert/requirements.txt
	@echo "Installing TensorFlow and the converter's other needs into $(VENV) ..."
	@$(BIN)/$(INSTALL) -r convert/requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.convert $(VENV)/.check requirements/dev.txt
	@echo "Installing the tests' needs into $(VENV) ..."
	@$(BIN)/$(INSTALL) -r requirements/dev.txt
	@touch $@

.venv-audit/.ready: $(VENV)/.serve requirements/audit.txt
	@echo "Installing checkov into .venv-audit ..."
	@$(BIN)/python -m venv .venv-audit
	@.venv-audit/bin/$(INSTALL) -r requirements/audit.txt
	@touch $@

# Chalice imports the app, and so needs what the layer holds, for the Python that it deploys for.
.venv-deploy-%/.ready: $(VENV)/.serve requirements/deploy.txt
	@python=$$($(BIN)/python -m layers.pythons $*); \
	test -n "$$python" || { echo "Chalice deploys for the Python that it runs on, and there is no Python $* here:" \
	  "install one (uv python install $*, or pyenv install $*), or name another: make deploy TARGET=3.12"; exit 2; }; \
	echo "Installing what deploys into .venv-deploy-$* ..."; \
	"$$python" -m venv .venv-deploy-$*
	@.venv-deploy-$*/bin/$(INSTALL) -r layers/requirements.txt -r requirements/deploy.txt
	@touch $@

.PHONY: help run check unit test format model digits convert-env layers package stack audit deploy destroy prove up batch-proof intake-proof workflow tune peak remote-model hostile requests bench lock release clean
