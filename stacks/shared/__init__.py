"""The parts that the stacks of several rooms are built of."""
