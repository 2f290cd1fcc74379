"""Domain-randomised scenes for training the cut-out network: objects rendered once, photographs composed at each step.

Rendering needs the renderer and runs on CPUs: `pottery` and `handle_kinds` sample forms, `glaze` paints them,
`bystanders` samples objects that are no vases, `gbuffer` renders colours, normals and occlusion, `foregrounds` keeps
them in a cache. Composing needs only torch and runs on the device that trains: `layout` and `groups` decide
what a picture shows and where, `placing` puts objects into it, `sherds` breaks some, `light` lights them, `backdrop`
and `props` are what stands around, `lens` is the camera, `scene` puts the picture together. Import from the modules.
"""
