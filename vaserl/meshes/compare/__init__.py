"""VaseEval: compares generated meshes with ground-truth meshes in shape and appearance, after aligning them.

`evaluate.evaluate` compares folders of GLBs and `table.comparison_table` formats the result. Import both from their
modules, because these load torch. The other modules are steps of the comparison: `names` matches files, `surface`
samples points, `align` aligns two meshes, `geometry` and `pictures` compute metrics.
"""

from vaserl.meshes.compare.settings import LpipsSettings, VaseEvalSettings

__all__ = ["LpipsSettings", "VaseEvalSettings"]
