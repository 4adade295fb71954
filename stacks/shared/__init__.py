"""What the stacks of several rooms are built of."""
