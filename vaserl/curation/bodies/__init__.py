"""Classes that judge photographs, for the stages that need a heavy library (torch, trimesh, OpenGL).

Such a class is called the body of its stage; the stages are declared in `stages`. This package exports nothing: the
module of a body is imported only in the process that runs the stage.
"""
