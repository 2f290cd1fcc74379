"""Who starts it: one module for each job."""
