"""What the programs of every engine share: one definition of dataset, hyper-parameters and metrics."""
