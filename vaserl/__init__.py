"""Reinforcement learning for vision-language models that describe ancient Greek vases.

This package needs no cluster: types, rewards, GRPO arithmetic, the policy, curation stages, metrics and the generator
of synthetic vases. `actors` adds Ray, vLLM and DeepSpeed; `launch` starts the jobs.
"""

__version__ = "0.1.0"
