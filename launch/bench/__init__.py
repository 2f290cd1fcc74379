"""Benchmarks: each measures one part of the program on this machine. `python -m launch bench NAME` runs one.

A bench is a module with three functions: `add_arguments(parser)`; `run(arguments)`, which returns the measurement as a
JSON object; and `words(measured)`, which formats it as text. The benches share these modules:

| module | holds |
|---|---|
| `subject` | inputs: a model folder, random clips, groups and data sets, and the engine's arguments |
| `timing` | clocks, spreads (median, lowest, highest), and the hardware and versions of a measurement |
| `roofline` | lower bounds for the time of a computation on this device |
| `arbitrary` | a reward for models with random weights |
| `sleepers` | a fake engine and a fake learner that sleep instead of working |
"""
