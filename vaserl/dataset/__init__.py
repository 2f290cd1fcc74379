"""The curated data set: its manifest of one row per photograph, its clips and its vases."""
