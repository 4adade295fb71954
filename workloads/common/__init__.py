"""What the SageMaker and the EMR workloads share: one definition of the dataset, the hyper-parameters and the metrics."""
