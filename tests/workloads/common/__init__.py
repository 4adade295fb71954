"""Tests of the workloads: common."""
