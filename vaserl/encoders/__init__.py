"""Encoders of texts and images with frozen weights, loaded from local files.

Import from the modules, each of which loads its own library: `open_clip` (load_open_clip, open_clip_text_encoder)
needs open_clip, `sentence` (SentenceEncoder) needs transformers.
"""
