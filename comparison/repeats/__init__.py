"""Runs beside each other: how much repeats of one run differ, and what differs between two runs."""
