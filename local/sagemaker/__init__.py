"""SageMaker on the laptop: its jobs, its model server, its runtime API."""
