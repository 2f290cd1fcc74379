"""The subcommands of the `vaserl` command.

`__main__` is the command itself. Every other module is named after its subcommand and has two functions. `add(verbs)`
adds the subcommand, its help and its arguments to the argument parser. `run(arguments)` executes the subcommand. The
function `run` contains the imports of other vaserl modules, so that `vaserl --help` does not load torch or other large
packages.
"""
