"""The tests. A package, because some dependency installs a top-level `tests` of its own."""
