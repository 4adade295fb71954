"""The EMR side."""

SIDE = "emr"
