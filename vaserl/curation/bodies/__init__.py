"""Bodies of stages that import a heavy library (torch, trimesh, a graphics context); `stages` declares them.

Nothing is exported here: a body's module is imported in the process that runs the stage.
"""
