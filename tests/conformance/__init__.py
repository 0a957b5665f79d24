"""What the standards say, as data: one folder for each protocol."""
