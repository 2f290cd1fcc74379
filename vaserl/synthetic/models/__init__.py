"""Small models of the real architectures with random or quickly trained weights."""
