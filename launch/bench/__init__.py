"""Benchmarks: each measures one part of the program on this machine. `python -m launch bench NAME` runs one benchmark.

A bench is a module with three functions: `add_arguments(parser)` adds its command-line options; `run(arguments)`
returns the measurement as a JSON object; `words(measured)` formats the measurement as text. The benches share these
modules:

| module | contains |
|---|---|
| `subject` | inputs of the benches: a model folder, random clips, groups and data sets, and the engine's arguments |
| `timing` | functions that time calls, summarize times, and describe the machine and the software |
| `roofline` | lower bounds for the time of a computation on this device |
| `arbitrary` | a reward for models with random weights |
| `job_process` | a job in processes of its own that can be killed, and the files that it leaves |
| `sleepers` | a fake engine and a fake learner that sleep instead of working |
"""
