"""GRPO: tasks, advantages, losses and their variants, metrics, and the two training loops."""
