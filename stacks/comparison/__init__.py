"""What runs the sides beside each other, and records it."""
