"""Frozen encoders of texts and images, loaded from local files.

Imported by module, so that one doesn't load the other's library: `open_clip` (load_open_clip, open_clip_text_encoder)
needs open_clip, `sentence` (SentenceEncoder) needs transformers.
"""
