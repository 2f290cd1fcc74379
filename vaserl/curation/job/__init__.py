"""Runs the stages of the curation job: batches and shards of rows, supervised processes, a journal of finished work."""
