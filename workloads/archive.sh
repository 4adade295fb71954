#!/bin/bash
# Packs the packages of packages/IMAGE/requirements.lock, unpacked, into one archive: below FOLDER in it, if that is given.
# Whoever unpacks it has them without pip. The same packages give the same archive, byte for byte.
# usage: archive.sh IMAGE ARCHIVE [FOLDER]
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/wheels" "$scratch/packages/${3:-}"
bash wheels.sh "$1" "$scratch/wheels"
for wheel in "$scratch"/wheels/*.whl; do
  python3 -m zipfile --extract "$wheel" "$scratch/packages/${3:-}"
done
find "$scratch/packages" -exec touch --date='1980-01-02 UTC' {} +
# Not `python3 -m zipfile`, which has no level: the lightest takes half the time for an eighth more bytes.
python3 - "$scratch/packages" "$scratch/archive.zip" <<'END'
import sys, zipfile
from pathlib import Path

folder, archive = map(Path, sys.argv[1:])
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
    for path in sorted(folder.rglob("*")):
        packed.write(path, path.relative_to(folder))
END
mv "$scratch/archive.zip" "$2"
