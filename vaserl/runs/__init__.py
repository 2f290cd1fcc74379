"""The folders that jobs write into: `Run` and its kin own every file name in them, the recorder fills them, rescoring
and export read them.

Import from the modules: `run` (Run, SftRun), `evaluation_run`, `quickstart_folder`, `recorder`, `rescore`, `export`,
`versions`; `clock` and `progress` measure and show long work. Some of them load pyarrow or torch.
"""
