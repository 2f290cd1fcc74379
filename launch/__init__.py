"""The jobs, one module each. `python -m launch JOB CONFIG` starts a job; launch/jobs.py lists them."""
