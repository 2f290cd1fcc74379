"""Judging classes, called bodies, of the stages that import a heavy library (torch, trimesh, OpenGL).

The stages are declared in `stages`. This package exports nothing: the module of a body is imported only in the process
that runs the stage.
"""
