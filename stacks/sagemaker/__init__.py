"""The SageMaker side."""

SIDE = "sagemaker"
