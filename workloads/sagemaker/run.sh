#!/bin/bash
# Entry point of the Processing jobs: installs the published wheels that the image does not hold, then runs a script.
# usage: run.sh SCRIPT [ARGUMENT ...]   SCRIPT is a file beside this one
set -euo pipefail
wheels=/opt/ml/processing/input/wheels
# The subnets have no way to a package index. What is there in the pinned version already is left alone.
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --no-index --find-links="$wheels" --requirement="$wheels/requirements.lock"
exec python3 "$(dirname "$0")/$1" "${@:2}"
