"""Checkpoints of training runs: their manifest, their storage on a disk or behind a URL, and which of them are kept.

A checkpoint is a folder of files and a manifest with the size and the SHA-256 of each. The contents of the files belong
to the learner. This package re-exports nothing; import from the modules: `manifest`, `store`, `stored`, `retention` and
`space`.
"""
