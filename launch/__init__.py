"""One module for each job. `python -m launch JOB CONFIG` starts a job; launch/jobs.py lists the jobs."""
