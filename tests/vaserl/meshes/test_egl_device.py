"""Tests the choice of the EGL device. tests/gpu/test_turntable.py tests it on real GPUs."""

import pytest

from vaserl.meshes.egl_device import cuda_ordinals, device_of_this_process, index_of_lowest


@pytest.mark.parametrize(
    ("ordinals", "index"),
    [
        ([], 0),
        ([None], 0),  # software
        ([0, 1, 2, None], 0),
        ([None, None, 0, None], 2),  # CUDA_VISIBLE_DEVICES=2
        ([1, None, 0], 2),  # CUDA_VISIBLE_DEVICES=2,0
        ([None, None], 0),  # CUDA_VISIBLE_DEVICES=
    ],
)
def test_index_of_lowest_is_the_first_card_that_cuda_sees(ordinals, index):
    assert index_of_lowest(ordinals) == index


def test_cuda_ordinals_lists_a_device_here():
    ordinals = cuda_ordinals()
    assert ordinals and device_of_this_process() < len(ordinals)
