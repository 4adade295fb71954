"""SageMaker for every side that uses it: jobs, their roles, images, their clean-up."""
