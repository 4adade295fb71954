"""What people read: the page, its charts, and the terminal's tables."""
