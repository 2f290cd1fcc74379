"""Everything that owns a process or a GPU: rollout engines, reward workers, learner ranks, encoders, curation.

Import from the modules: `placement` (room for a job's actors), `pool` (placing, dealing, time-outs), `rollout`,
`reward`, `learner` and `encoder` (the pools), `publish` (how weights reach the engines). They load Ray; an engine loads
vLLM and a rank DeepSpeed in its own process only.
"""
