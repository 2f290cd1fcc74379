"""Lets a torchvision built for CUDA work beside a torch built for CPU, in every process of an environment.

Such a torchvision cannot load its compiled operators, and its import then dies with "operator torchvision::nms does
not exist", although nothing here needs them. `make setup` copies this file into the environment's site-packages with
a `.pth` line that imports it at interpreter start, because an import in our own packages would not reach the child
processes in which vLLM inspects model classes. Where torchvision matches its torch, the hook changes nothing.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys

# The first modules that torchvision loads after it has tried its compiled extension.
_AFTER_EXTENSION = {"torchvision._autograd_registrations", "torchvision._meta_registrations"}
_library = None  # a torch.library.Library unregisters its operators when it is collected


class DeclareOperators(importlib.abc.MetaPathFinder):
    """Declares the missing operators in the moment before torchvision registers against them."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname in _AFTER_EXTENSION:
            _declare_if_missing()
        return None  # the ordinary finders load the module


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
