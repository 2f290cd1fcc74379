"""A procedural potter: vases, their records and their photographs, with everything known about each.

Every stage of curation and training has its ground truth here. `world.build_world` writes a whole collection; the
other modules are its steps: shapes, figures and ornament are drawings, vase draws traits, paint and mesh make the
object, photograph looks at it, record describes it.
"""
