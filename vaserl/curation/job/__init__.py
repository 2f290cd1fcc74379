"""How the curation job runs stages: batches, shards, supervised processes, the journal of finished work."""
