"""Builds a data set from photographs and records of vases: 3D models, videos, captions, questions."""
