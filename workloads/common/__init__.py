"""What the SageMaker and the EMR workloads share: one definition of dataset, hyper-parameters and metrics."""
