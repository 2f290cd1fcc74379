"""The verbs of the `vaserl` command.

Each module has `add(verbs)`, which declares the verb's arguments, and `run(arguments)`, which imports what it needs
and does it: `vaserl --help` loads nothing heavy.
"""
