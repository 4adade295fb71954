"""The CDK stacks: network, data, one of each side, comparison; and the settings and constructs that they share."""

import sys
from pathlib import Path

# The workloads ship to the services as a folder of their own, which is on the path there; so it is here.
sys.path.append(str(Path(__file__).resolve().parents[1] / "workloads"))
