"""VaseEval: how near generated models come to true ones, in shape and in looks, after both are brought into one frame.

`evaluate` compares folders of GLBs; the other modules are its steps: surface samples, align brings into one frame,
geometry and pictures measure, table puts it into words.
"""
