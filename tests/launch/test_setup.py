"""launch/setup.sh: what it runs of this package exists."""

import importlib
import re
from pathlib import Path

SETUP = Path(__file__).parents[2] / "launch" / "setup.sh"


def test_setup_imports_names_that_exist():
    imports = re.findall(r"from (vaserl[\w.]*) import (\w+)", SETUP.read_text())
    assert imports, "setup draws a picture to see whether it can"
    assert not [name for module, name in imports if not hasattr(importlib.import_module(module), name)]
