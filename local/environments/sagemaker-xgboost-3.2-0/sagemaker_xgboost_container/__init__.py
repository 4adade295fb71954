"""Stands for AWS's package of this name, which is on no index: script mode only, on AWS's sagemaker-containers.

Checked against sagemaker-xgboost-container cb8df91 (2026-06-25).
"""
