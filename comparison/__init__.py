"""What a run leaves behind: its record, the page and the terminal table made from it."""
