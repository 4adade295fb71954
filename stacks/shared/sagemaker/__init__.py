"""What runs on SageMaker, whichever side it is of: jobs, their roles, images."""
