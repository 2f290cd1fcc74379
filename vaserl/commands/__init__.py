"""The subcommands of the `vaserl` command.

Each module is named like its subcommand and has two functions: `add(verbs)` declares name, help and arguments, and
`run(arguments)` does the work. Imports are inside `run`, so that `vaserl --help` does not load torch or other large
packages.
"""
