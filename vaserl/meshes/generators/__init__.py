"""Generators of 3D models that are other people's programs: loaded once from a checkout, called per photograph.

`triposg` and `hunyuan3d` give a bare surface; `finish` makes it a model of this photograph: one piece, closed where
that is honest, of so many faces, upright, its front towards +Z, in the photograph's colours.
"""
