"""What each command of the shell does: one file per verb; it parses, calls the rooms, and prints."""
