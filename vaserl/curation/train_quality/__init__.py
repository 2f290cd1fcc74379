"""Trains the quality filter, a calibrated classifier, on labelled photographs, and reports its precision and recall."""
