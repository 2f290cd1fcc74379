"""Small models of the real architectures with random or quickly trained weights.

Imported by module, since each loads a library: `tiny_qwen` and `random_qwen` transformers, `tiny_filters` open_clip.
"""
