#!/bin/bash
# Puts what EMR Serverless unpacks beside the published workloads, where nothing can be installed:
#   TARGET/packages/emr.zip         the packages of Spark's jobs
# usage: archives.sh s3://BUCKET/code/HASH
set -euo pipefail
cd "$(dirname "$0")"
target=$1
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
mkdir "$build/packages"
bash archive.sh emr "$build/packages/emr.zip"
aws s3 cp --only-show-errors --recursive "$build" "$target"
