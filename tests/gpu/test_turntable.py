"""Tests rendering on GPUs: each process renders on the GPU that it computes on, and all render the same frames."""

import os
import subprocess
import sys

import pytest
import torch

pytestmark = pytest.mark.gpu
PROGRAM = """
import hashlib
import numpy as np
from OpenGL import GL
from vaserl.meshes.egl_device import device_of_this_process
from vaserl.synthetic.mesh import build_mesh
from vaserl.synthetic.paint import paint_vase
from vaserl.synthetic.vase import sample_traits
from vaserl.meshes.turntable import TurntableRenderer

traits = sample_traits(np.random.default_rng(0))
with TurntableRenderer(112) as turntable:
    frames = turntable.render_clip(build_mesh(traits, paint_vase(traits)), num_frames=6).frames
    maker = GL.glGetString(GL.GL_VENDOR).decode().split()[0]
assert frames.std() > 20, "an empty image"
print(device_of_this_process(), maker, hashlib.sha256(frames.tobytes()).hexdigest())
"""


def drawn_with(devices: str) -> list[str]:
    """Returns the index of the GPU that rendered, its vendor, and the digest of the frames."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": devices}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_turntable_renders_on_the_card_of_the_process():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    by_card = [drawn_with(str(number)) for number in range(torch.cuda.device_count())]
    assert [card for card, _, _ in by_card] == [str(number) for number in range(torch.cuda.device_count())]
    assert {maker for _, maker, _ in by_card} == {"NVIDIA"}
    assert len({digest for _, _, digest in by_card}) == 1
    assert drawn_with("") == by_card[0], "without a visible GPU, a process renders on the first"
