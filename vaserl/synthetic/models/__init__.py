"""Builds neural networks that stand in for large checkpoints in tests and measurements.

`tiny_qwen` builds a small Qwen2.5-VL, `random_qwen` one of a published size; their weights are random. `tiny_filters`
trains small photograph filters. Import from these modules: the first two load transformers, the last loads open_clip.
"""
