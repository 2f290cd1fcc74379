"""A pytest plugin for `make test-fast`: Ray, vLLM and DeepSpeed can't be imported, as if they were not installed.

A fast test that imports one of them by accident fails instead of becoming slow.
"""

import sys

CLUSTER = ("ray", "vllm", "deepspeed")

for name in CLUSTER:
    # None in sys.modules makes `import` raise ModuleNotFoundError and `importlib.util.find_spec` return None
    sys.modules[name] = None  # pyright: ignore[reportArgumentType]
