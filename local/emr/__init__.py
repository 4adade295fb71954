"""EMR on the laptop: clusters, their nodes and steps."""
