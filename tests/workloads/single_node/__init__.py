"""Tests of the workloads: sagemaker."""
