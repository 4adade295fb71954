"""The EMR side."""
