"""Evaluates captions: accuracy per dimension (such as the shape), caption metrics, baselines, audits of a reward.

This package re-exports nothing, so import from its modules. The reason is that commands which use only `predictions`
(files of captions and targets) or `audit` must start without scipy, but `evaluate` and `caption_metrics` import scipy.
"""
