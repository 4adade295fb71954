"""The private network that both services work in."""
