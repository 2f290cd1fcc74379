"""An exact reader of binary glTF 2.0: what a file declares of geometry, placement and paint is computed as the
specification says, or the file is refused with the name of what isn't supported.

trimesh's reader ignores sparse accessors, normalised integers, texture transforms, second texture coordinates, vertex
colours beside a material and alpha modes, which gives plausible pictures with wrong shapes and colours. This reader
works on the arrays; it doesn't decode compressed geometry. `reader.read_parts` is the entry.
"""
