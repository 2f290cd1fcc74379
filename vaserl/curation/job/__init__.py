"""Runs the stages of the curation job in supervised processes, and keeps finished work in a journal."""
