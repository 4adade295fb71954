"""The private network that the sides work in."""
