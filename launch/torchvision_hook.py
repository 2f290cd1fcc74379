"""Makes a torchvision built for CUDA importable beside a torch built for CPU, in every process of an environment.

Such a torchvision can't load its compiled operators. vaserl does not use these operators, but without them
`import torchvision` fails with "operator torchvision::nms does not exist".

`make setup` copies this file into the environment's site-packages with a `.pth` line that imports it at interpreter
start. An import in our own packages would not be executed in the child processes in which vLLM inspects model classes.
If torchvision matches torch, the hook changes nothing.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys

# The first modules that torchvision imports after the attempt to load its compiled extension.
_AFTER_EXTENSION = {"torchvision._autograd_registrations", "torchvision._meta_registrations"}
_library = None  # referenced, because a torch.library.Library unregisters its operators when it is garbage-collected


class DeclareOperators(importlib.abc.MetaPathFinder):
    """Import hook that declares torchvision's compiled operators if they are missing. The operators are declared just
    before torchvision registers implementations for them, which fails for an undeclared operator."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname in _AFTER_EXTENSION:
            _declare_if_missing()
        return None  # the other finders load the module


def _declare_if_missing() -> None:
    global _library
    extension = sys.modules.get("torchvision.extension")
    if _library is None and extension is not None and not extension._has_ops():
        import torch

        _library = torch.library.Library("torchvision", "DEF")
        _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


if not any(isinstance(finder, DeclareOperators) for finder in sys.meta_path):
    sys.meta_path.insert(0, DeclareOperators())
