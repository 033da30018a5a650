"""The verbs of the command line: wiring only. Nothing imports them but `run.py`."""
