"""The side of Spark on SageMaker."""

SIDE = "sagemaker-spark"
