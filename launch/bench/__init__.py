"""Measurements of the program's parts on this machine: `python -m launch bench NAME`.

A bench is a module with `add_arguments(parser)`, `run(arguments)`, which returns a JSON object, and `words(measured)`,
which formats it. They share these modules:

| module | holds |
|---|---|
| `subject` | what is measured: a model folder, random clips, groups and data sets, the engine's arguments |
| `timing` | clocks, spreads, and the circumstances of a measurement |
| `roofline` | lower bounds for the time of a computation on this device |
| `arbitrary` | a reward for models with random weights |
| `sleepers` | engines and learner that sleep instead of working |
"""
