"""Frozen encoders of texts and images, loaded from local files.

Import from the modules: `vaserl.encoders.open_clip` needs the library open_clip, `vaserl.encoders.sentence` needs
transformers, and neither should load the other.
"""
