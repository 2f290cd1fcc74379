"""Measurements of the program's parts on this machine: `python -m launch bench NAME`."""
