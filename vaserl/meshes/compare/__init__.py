"""VaseEval: compares generated meshes with ground-truth meshes in shape and appearance, after aligning them.

`evaluate.evaluate` compares folders of GLBs, `table.comparison_table` formats the result; they load torch and are
imported from their modules. The other modules are steps of the comparison: `surface` samples points, `align` aligns,
`geometry` and `pictures` compute metrics.
"""

from vaserl.meshes.compare.settings import LpipsSettings, VaseEvalSettings

__all__ = ["LpipsSettings", "VaseEvalSettings"]
