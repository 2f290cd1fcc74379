"""The subcommands of the `vaserl` command.

Each module has the name of its subcommand and two functions: `add(verbs)` declares the subcommand's name, help and
arguments, and `run(arguments)` does the work. Other modules are imported inside `run`, so that `vaserl --help` does not
load torch or other large packages.
"""
