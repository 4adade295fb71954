"""The SageMaker side."""
