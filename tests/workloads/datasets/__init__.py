"""Tests of the workloads: datasets."""
