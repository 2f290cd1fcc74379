"""Reinforcement learning for vision-language models that describe ancient Greek vases.

What is true without a cluster: types, rewards, GRPO arithmetic, packing, model maths, curation stages, metrics and
the synthetic world. `actors` adds Ray, vLLM and DeepSpeed; `launch` starts the jobs.
"""

__version__ = "0.1.0"
