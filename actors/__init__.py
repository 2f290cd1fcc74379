"""Everything that owns a process or a GPU: rollout engines, reward workers, learner ranks, the curation graph."""
