"""Meshes: the lathe and other image-to-3D generators, rendering, the mesh gate, and comparison with true meshes."""
