"""Bodies (judging classes) of the stages that import a heavy library (torch, trimesh, OpenGL); `stages` declares them.

Nothing is exported here: a body's module is imported in the process that runs the stage.
"""
