#!/bin/bash
# Bootstrap action: installs the published wheels on a node, also on one that joins later.
# usage: bootstrap.sh s3://BUCKET/code/HASH/wheels/emr/
set -euo pipefail
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
aws s3 cp --only-show-errors --recursive "$1" "$wheels"
# The release holds Python 3.11; whether its pip comes along is not documented. Its package repository is in S3.
python3.11 -m pip --version || sudo dnf -y --quiet install python3.11-pip || sudo python3.11 -m ensurepip
sudo python3.11 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --no-index --find-links="$wheels" --requirement="$wheels/requirements.lock"
