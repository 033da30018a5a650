"""The live session: markets, threads, instructions, safety, restart, and the terminal."""
