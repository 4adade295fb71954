"""Runs as people keep them: in folders, in a bucket, in an account; and whether their sides agree."""
