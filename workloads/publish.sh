#!/bin/bash
# Puts the workloads and the wheels that they import below one prefix of the bucket, for subnets without internet:
#   TARGET/workloads/...            this folder
#   TARGET/workloads.zip            the same, for spark-submit --py-files
#   TARGET/wheels/<side>/...        requirements.lock and its wheels, for the Python and platform of that service
# usage: publish.sh s3://BUCKET/code/HASH          WHEELS=skip leaves the wheels out (they are installed already)
set -euo pipefail
cd "$(dirname "$0")"
target=$1
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

wheels() {  # SIDE PYTHON: the lock's wheels, checked by their hashes; manylinux_2_28 runs on Amazon Linux 2023
  mkdir -p "$build/wheels/$1"
  cp "$1/requirements.lock" "$build/wheels/$1/"
  [ "${WHEELS:-}" = skip ] || python3 -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps \
    --only-binary=:all: --implementation=cp --python-version="$2" \
    --platform=manylinux_2_28_x86_64 --platform=manylinux_2_27_x86_64 --platform=manylinux_2_17_x86_64 --platform=manylinux2014_x86_64 \
    --requirement="$1/requirements.lock" --dest="$build/wheels/$1"
}
wheels sagemaker 3.12  # the XGBoost image's
wheels emr 3.11        # the cluster's PYSPARK_PYTHON

cp -R . "$build/workloads"
find "$build/workloads" -name __pycache__ -prune -exec rm -rf {} +
(cd "$build/workloads" && python3 -m zipfile --create ../workloads.zip *)
aws s3 cp --only-show-errors --recursive "$build" "$target"
