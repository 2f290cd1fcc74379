"""Modules for the results of a curation: manifest rows, splits, counts of rejected photographs, data card, contact
sheet, export to the Hugging Face hub, and `vaserl why`.

This package re-exports nothing, so that importing one module does not load the libraries of the others, such as
matplotlib and pyarrow.
"""
