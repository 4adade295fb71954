"""EMR Serverless on the laptop: an application and its job runs."""
