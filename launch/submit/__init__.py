"""Submits a job to a running Ray cluster, follows it, stops it and resumes it: launch/submit.sh JOB CONFIG …

`__main__` is the command, on the machine of the user; `driver` is what the cluster then starts.
"""
