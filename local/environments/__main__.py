"""Build environments: `python -m local.environments NAME...` (none: all)."""

import argparse
import sys
import time

from local.environments import BuildError, build, names
from record.errors import UserError

parser = argparse.ArgumentParser(prog="python -m local.environments", description=__doc__)
parser.add_argument("names", nargs="*", metavar="NAME", default=names(), help=f"of: {', '.join(names())}")
for name in parser.parse_args().names:
    print(f"Environment {name} ...", flush=True)
    started = time.monotonic()
    try:
        if build(name):
            print(f"Environment {name}: built in {time.monotonic() - started:.0f} s", flush=True)
    except UserError as missing:
        print(f"error: {missing}", file=sys.stderr)
        raise SystemExit(2) from None
    except BuildError as failed:
        print(f"error: environment {name}: {failed}", file=sys.stderr)
        raise SystemExit(1) from None
