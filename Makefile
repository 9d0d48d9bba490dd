# Two commands matter: `make run` starts the product, `make test` proves it. Both set up what they need, once.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run test test-bottlecrm lint bench evaluate docs crm-packages validate build lock clean

PYTHON ?= python3
PIP_FLAGS := --quiet --disable-pip-version-check
VENV := .venv/bin
TEST := .tools/test/bin
SAM := .tools/sam/bin
export SAM_CLI_TELEMETRY := 0

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: .venv/.ready ## what running needs, in .venv (quick when done)

run: setup ## start the product on 127.0.0.1:8787 and play the demo story
	@exec $(VENV)/caseline dev

test: lint ## everything that must pass
	@$(TEST)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-bottlecrm: .tools/test/.ready ## a real CRM, BottleCRM, keeps the contract, and the whole product works with it
	@infra/setup/bottlecrm.sh
	@$(TEST)/python -m pytest -n 2 --dist loadfile tests/oracles/bottlecrm

lint: .tools/test/.ready ## style and types
	@$(TEST)/ruff check .
	@$(TEST)/mypy --no-error-summary

bench: .tools/test/.ready ## the figures, as one table
	@$(TEST)/python -m tests.bench

validate: .tools/sam/.ready ## what SAM itself says of the template
	@$(SAM)/sam validate --lint --region us-east-1

build: .tools/sam/.ready ## the deployable artifacts, in .aws-sam
	@find functions -name __pycache__ -prune -exec rm -rf {} +
	@PATH="$(CURDIR)/$(SAM):$$PATH" sam build --region us-east-1

# EVALUATION_DATA names a folder of labelled files; EVALUATE=--quick leaves out what has to learn first, EVALUATE=--replay plays tweets through to cases, too.
evaluate: .tools/test/.ready ## how good assessment is, on our own sets and on the files of EVALUATION_DATA
	@PYTHONPATH=layers/core:infra/local $(TEST)/python -m tests.evaluation $(EVALUATE)

docs: setup crm-packages ## the README's table of channels, from their modules, and what CRM admins install
	@$(VENV)/caseline channels list --write README.md

crm-packages: setup ## what CRM admins install, from infra/crm/schema.yaml
	@$(VENV)/python -m infra.crm.packages

lock: .tools/test/.ready ## pin what is installed now
	@echo '# The exact versions that the tests passed with. `make lock` writes this file.' > requirements.lock
	@$(TEST)/python -m pip freeze --exclude-editable >> requirements.lock

clean: ## forget environments and build results; the data in .caseline stays
	@rm -rf .venv .tools .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/.ready: pyproject.toml requirements.lock
	@echo "Setting up .venv, once: about a minute"
	@$(PYTHON) infra/setup/environment.py .venv
	@$(VENV)/python -m pip install $(PIP_FLAGS) --constraint requirements.lock --editable '.[local]'
	@touch $@

# The product's own environment, seen through a path file, with the tools beside it: nothing is installed twice, nothing can differ.
.tools/test/.ready: .venv/.ready
	@echo "Setting up .tools/test, once: about a minute"
	@$(PYTHON) infra/setup/environment.py .tools/test --sees .venv
	@$(TEST)/python -m pip install $(PIP_FLAGS) --constraint requirements.lock --editable '.[local,test]'
	@touch $@

.tools/sam/.ready: Makefile
	@echo "Setting up .tools/sam, once: two or three minutes"
	@$(PYTHON) infra/setup/environment.py .tools/sam
	@$(SAM)/python -m pip install $(PIP_FLAGS) aws-sam-cli==1.170.0
	@touch $@
