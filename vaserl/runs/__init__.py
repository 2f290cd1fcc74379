"""The run folder: recording a run, reading it back, rescoring it, exporting its weights."""
