"""The report's pictures: each function takes a finished run and returns a matplotlib figure."""
