"""Generates synthetic vases with photographs and museum records, and small neural networks.

`world.build_world` writes a whole collection of vases. It uses the other modules: `shapes`, `figures` and `ornament`
contain drawings; `vase` samples the traits of a vase; `paint` creates its texture and `mesh` its mesh; `photograph`
renders its photographs; `record` creates its museum record. The small neural networks are in `models`.

The package itself exports nothing, because importing its modules loads the renderer. Import from the modules:
build_world and traits_of from `world`, build_mesh and to_glb from `mesh`, paint_vase from `paint`, take_photograph from
`photograph`.
"""
