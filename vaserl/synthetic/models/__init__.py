"""Small neural networks of the real architectures, with random or quickly trained weights.

Import from the modules, since each loads a library: `tiny_qwen` and `random_qwen` load transformers, `tiny_filters`
loads open_clip.
"""
