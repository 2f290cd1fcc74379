"""Evaluates captions: prediction files, accuracy per dimension, caption metrics, baselines without pixels, audits.

Import from the modules, because this package re-exports nothing: `predictions` (files of captions and targets) and
`audit` serve commands that must start without scipy, which `evaluate` and `caption_metrics` load.
"""
