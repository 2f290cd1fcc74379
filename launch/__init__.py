"""The jobs, one module each: `python -m launch JOB CONFIG` starts one, launch/jobs.py lists them."""
