"""Ray actors and the pools that hold them: rollout engines, reward workers, learner ranks, encoders, curation.

Import from the modules: `placement` (reserves resources for a job's actors), `pool` (starts actors and distributes work
to them), `rollout`, `reward`, `learner` and `encoder` (the pools), `publish` (transfers weights to the engines). These
modules load Ray. vLLM is loaded only in an engine's process, and DeepSpeed only in a rank's.
"""
