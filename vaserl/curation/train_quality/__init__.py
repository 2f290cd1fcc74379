"""Training of the quality filter: labelled photographs in, a calibrated classifier with a report out."""
