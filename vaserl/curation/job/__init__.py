"""How the curation job runs stages: batches, shards, processes that may die, the journal of finished work."""
