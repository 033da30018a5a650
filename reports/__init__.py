"""What happened, written to files and drawn."""
