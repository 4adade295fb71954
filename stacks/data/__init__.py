"""The bucket, the key, the dataset and the published workloads."""
