"""The folders that jobs write into: classes that name, write and read their files; rescoring and export of runs.

Import from the modules: `run` (Run, SftRun), `evaluation_run`, `quickstart_folder`, `recorder`, `rescore`, `export`,
`versions`; `clock` and `progress` measure and show long work. Some of them load pyarrow or torch.
"""
