"""Generates vases with photographs, museum records and known ground truth, and small neural networks.

`world.build_world` writes a whole collection; the other modules are its steps: `shapes`, `figures` and `ornament` are
drawings, `vase` samples traits, `paint` and `mesh` make texture and mesh, `photograph` renders photographs, `record`
writes the museum record. The modules load the renderer, so they are imported by name: `world` (build_world, traits_of),
`mesh` (build_mesh, to_glb), `paint` (paint_vase), `photograph` (take_photograph), `models` (small networks).
"""
