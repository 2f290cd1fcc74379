"""The verbs of the `vaserl` command.

A module is named like its verb and has two functions: `add(verbs)` declares name, help and arguments, and
`run(arguments)` does the work. `run` imports what it needs itself, so that `vaserl --help` loads nothing heavy.
"""
