"""Where a job's actors will sit on a cluster, and what the job will need, computed before anything is started."""
