"""The comparison: it runs the sides beside each other, and records that."""
