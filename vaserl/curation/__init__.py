"""From photographs and records to models, turntables and captions: one file for each stage."""
