"""Tests of the workloads: emr."""
