#!/bin/bash
# Puts the workloads and the wheels that they import below one prefix of the bucket, for subnets without internet:
#   TARGET/workloads/...            this folder
#   TARGET/workloads.zip            the same, for spark-submit --py-files
#   TARGET/wheels/<image>/...        requirements.lock and its wheels, for the Python and platform of that image
#   TARGET/collector-layer.zip      what the function imports that records a run, as a layer for Lambda
# usage: publish.sh s3://BUCKET/code/HASH
set -euo pipefail
cd "$(dirname "$0")"
target=$1
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

for folder in packages/*/; do
  image=$(basename "$folder")
  if [ "$image" != collector ]; then
    mkdir -p "$build/wheels/$image"
    cp "$folder/requirements.lock" "$build/wheels/$image/"
    bash wheels.sh "$image" "$build/wheels/$image"
  fi
done

bash archive.sh collector "$build/collector-layer.zip" python

cp -R . "$build/workloads"
find "$build/workloads" -name __pycache__ -prune -exec rm -rf {} +
(cd "$build/workloads" && python3 -m zipfile --create ../workloads.zip *)
aws s3 cp --only-show-errors --recursive "$build" "$target"
