#!/bin/bash
# Puts the workloads and the wheels that they import below one prefix of the bucket, for subnets without internet:
#   TARGET/workloads/...            this folder
#   TARGET/workloads.zip            the same, for spark-submit --py-files
#   TARGET/wheels/<side>/...        requirements.lock and its wheels, for the Python and platform of that service
#   TARGET/collector-layer.zip      what the function imports that records a run, as a layer for Lambda
# usage: publish.sh s3://BUCKET/code/HASH          WHEELS=skip leaves the wheels out (they are installed already)
set -euo pipefail
cd "$(dirname "$0")"
target=$1
build=$(mktemp -d)
scratch=$(mktemp -d)
trap 'rm -rf "$build" "$scratch"' EXIT

download() {  # FOLDER PYTHON DESTINATION: the wheels of FOLDER's lock, checked by their hashes
  [ "${WHEELS:-}" = skip ] || python3 -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps \
    --only-binary=:all: --implementation=cp --python-version="$2" \
    --platform=manylinux_2_28_x86_64 --platform=manylinux_2_27_x86_64 --platform=manylinux_2_17_x86_64 --platform=manylinux2014_x86_64 \
    --requirement="$1/requirements.lock" --dest="$3"
}
wheels() {  # SIDE PYTHON; manylinux_2_28 runs on Amazon Linux 2023, as Lambda's Python does
  mkdir -p "$build/wheels/$1"
  cp "$1/requirements.lock" "$build/wheels/$1/"
  download "$1" "$2" "$build/wheels/$1"
}
layer() {  # FOLDER PYTHON: the wheels unpacked below python/, with times that are always the same
  local unpacked
  unpacked=$(mktemp -d "$scratch/XXXX")
  mkdir "$unpacked/wheels" "$unpacked/python"
  download "$1" "$2" "$unpacked/wheels"
  for wheel in "$unpacked"/wheels/*.whl; do
    python3 -m zipfile --extract "$wheel" "$unpacked/python"
  done
  find "$unpacked/python" -exec touch --date='1980-01-02 UTC' {} +
  (cd "$unpacked" && python3 -m zipfile --create "$build/$1-layer.zip" python)
}
wheels sagemaker 3.12  # the XGBoost image's
wheels emr 3.11        # the cluster's PYSPARK_PYTHON
[ "${WHEELS:-}" = skip ] || layer collector 3.14  # stacks/collector.py: _RUNTIME

cp -R . "$build/workloads"
find "$build/workloads" -name __pycache__ -prune -exec rm -rf {} +
(cd "$build/workloads" && python3 -m zipfile --create ../workloads.zip *)
aws s3 cp --only-show-errors --recursive "$build" "$target"
