#!/bin/bash
# Fetches the wheels of packages/IMAGE/requirements.lock, checked by their hashes, for the Python and platform that run them.
# usage: wheels.sh IMAGE DESTINATION
set -euo pipefail
cd "$(dirname "$0")"
case $1 in
  sagemaker-*) python=3.12 ;;
  emr) python=3.11 ;;       # PYSPARK_PYTHON of clusters and job runs
  collector) python=3.14 ;; # stacks/comparison/collector.py: _RUNTIME
esac
# manylinux_2_28 runs on Amazon Linux 2023, as Lambda's Python does.
python3 -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps \
  --only-binary=:all: --implementation=cp --python-version="$python" \
  --platform=manylinux_2_28_x86_64 --platform=manylinux_2_27_x86_64 --platform=manylinux_2_17_x86_64 --platform=manylinux2014_x86_64 \
  --requirement="packages/$1/requirements.lock" --dest="$2"
