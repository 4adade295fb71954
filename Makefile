# Two commands on a fresh machine: `make compare` and `make test`. They install what they need into this folder
# (install.py), whose path may hold anything but : $ { and }: recipes name files by relative paths.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help compare cost prices instances synth test check clean readme snapshots lock checkov base diff bench

BASE ?=
MAX_MONTHLY ?=
FORMAT ?=
EVENTS ?=
RUN_ID ?=
SIDES ?=

USABLE := 'import sys, venv; from importlib.util import find_spec as has; sys.exit(not ((3, 11) <= sys.version_info < (3, 14) and (has("pip") or has("ensurepip"))))'
# Python 3.11 to 3.13: the versions that numpy 2.1.0 and pyspark 3.5.9 (the services' versions) run on.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
  $$python -I -c $(USABLE) 2>/dev/null && { echo $$python; break; }; done)

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python compiles a module once and keeps it, in this folder; without, every command here takes seconds longer to begin.
unexport PYTHONDONTWRITEBYTECODE

help:  ## Show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

compare: .venv/installed  ## Run the pipelines on this machine and compare them (EVENTS=200000 RUN_ID=... SIDES=emr, SIDES=all)
	@# By the environment, since a shell would read what is in them.
	@exec python -m cli run $${EVENTS:+--events "$$EVENTS"} $${RUN_ID:+--run-id "$$RUN_ID"} $${SIDES:+--sides "$$SIDES"}

cost: .venv/installed  ## What the templates cost a month, line by line (BASE=HEAD: what changed; MAX_MONTHLY=500: a limit)
	@mkdir -p build && $(MAKE) --silent $(if $(BASE),base BASE=$(BASE),synth) > build/synth.log 2>&1 \
	  || { cat build/synth.log >&2; exit 1; }
	@python -m cli cost $(if $(BASE),--templates build/diff/new --against build/diff/old) \
	  $(if $(MAX_MONTHLY),--max-monthly $(MAX_MONTHLY)) $(if $(FORMAT),--format $(FORMAT))

prices: .venv/installed  ## Read the price list again (needs credentials with pricing:GetProducts; review the diff)
	@python -m cli prices --refresh

instances: .venv/installed  ## Read EC2's instance families again, from the copy that moto keeps (review the diff)
	@python -m stacks.instances

synth: .venv/installed  ## Write the CloudFormation templates to cdk.out/
	@cdk synth --quiet && echo "Templates: cdk.out/*.template.json"

# The type checker runs beside the tests.
define lint-and-test
  ruff check . && ruff format --check .
  mkdir -p build; failed=0; mypy > build/mypy.log 2>&1 & types=$$!; \
    pytest --quiet --areas $(1) || failed=$$?; wait $$types || failed=$$?; cat build/mypy.log; exit $$failed
endef

test: .venv/installed-dev  ## Lint, check types, test (FULL=1: every test)
	@$(call lint-and-test,$(if $(FULL),,--snapshot-warn-unused -m "not full"))

check: .venv/installed-dev  ## Lint, check types, test the stacks
	@$(call lint-and-test,--snapshot-warn-unused -m "not slow" --ignore tests/stacks/handlers tests/stacks)
	@echo 'Left out, `make test` has it: tests/stacks/handlers, what is marked slow, everything outside of tests/stacks'

bench: .venv/installed-dev  ## What this costs on top of the bare engines: synthesis, features (some minutes)
	@python -m tests.bench

base: .venv/installed
	@rm -rf build/diff && mkdir -p build/diff/base && git archive "$(or $(BASE),HEAD)" | tar -x -C build/diff/base
	@cdk synth --quiet --output build/diff/new > build/diff/log 2>&1 || { cat build/diff/log >&2; exit 1; }
	@cd build/diff/base && PYTHONPATH=workloads cdk synth --quiet --output ../old > ../log 2>&1 || { cat ../log >&2; exit 1; }

diff: base  ## What the templates changed since BASE (BASE=HEAD); needs no account
	@cd build/diff && for template in $$(cd new && ls *.template.json); do \
	  [ -e old/$$template ] || echo '{"Resources": {}}' > old/$$template; \
	  cdk diff --app new --exclusively --template old/$$template $${template%.template.json} 2>&1; done

checkov: .venv/installed-dev synth  ## A second opinion on the templates' security (fetches checkov into a place of its own)
	@uv tool run --quiet --from checkov==3.2.533 checkov --config-file .checkov.yaml --directory cdk.out

readme: .venv/installed  ## Write the README's figures and the picture of the sides again (docs/measured.json is their run)
	@python -m cli.readme

snapshots: .venv/installed-dev  ## Accept the changed template snapshots (review the diff)
	@pytest tests/stacks --snapshot-update

# Not local/environments: each lists every package of its image, exactly; they are installed by hash, without a resolver.
lock: .venv/installed-dev  ## Pin again what the requirements pull in, here and on the services
	@uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate requirements-dev.txt -o requirements.lock
	@for image in sagemaker-xgboost/3.12 sagemaker-spark/3.12 emr/3.11 collector/3.14; do name=$${image%/*}; \
	  uv pip compile -q --python-version $${image#*/} --python-platform x86_64-manylinux_2_28 --generate-hashes \
	    --no-header --no-annotate --constraint requirements.lock \
	    workloads/packages/$$name/requirements.in -o workloads/packages/$$name/requirements.lock; done

clean:  ## Remove what was built and installed
	@rm -rf .venv .cache node_modules build cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An installation of which a part was taken away is installed again.
PARTS := .cache/wheels .venv/environments node_modules/aws-cdk node_modules/plotly.js-basic-dist-min
.PHONY: again
.venv/installed: install.py requirements.txt requirements.lock package.json package-lock.json workloads/wheels.sh \
  $(filter-out %.pyc,$(wildcard workloads/packages/*/requirements.* local/environments/*.py local/environments/*/*.* local/environments/*/*/*.py local/environments/*/bin/*)) \
  $(if $(filter-out $(wildcard $(PARTS)),$(PARTS)),again)
	@[ -n "$(PYTHON)" ] || { echo "error: needs Python 3.11, 3.12 or 3.13 with venv and pip; none was found (set PYTHON=/path/to/python)" >&2; exit 2; }
	@"$(PYTHON)" -I install.py

.venv/installed-dev: .venv/installed requirements-dev.txt
	@"$(PYTHON)" -I install.py tests
