"""Classes that write and read the output folders of jobs; rescoring and export of training runs.

This package re-exports nothing, because some of its modules load pyarrow or torch. Import from the modules: `run` (Run,
SftRun), `evaluation_run`, `quickstart_folder`, `recorder`, `rescore`, `export` and `versions`. `clock` measures time;
`progress` shows the progress of long work.
"""
