"""The stages of curation, one module each."""
