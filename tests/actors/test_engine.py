"""Tests what `actors.engine` makes of a run's settings for vLLM."""

import pytest

from actors.engine import served_lora_rank
from vaserl.errors import UserError


@pytest.mark.parametrize(("rank", "served"), [(1, 1), (2, 8), (4, 8), (8, 8), (9, 16), (32, 32), (512, 512)])
def test_served_lora_rank_is_the_next_that_vllm_has(rank: int, served: int):
    assert served_lora_rank(rank) == served


def test_served_lora_rank_names_the_key_of_a_rank_that_vllm_cant_serve():
    with pytest.raises(UserError, match=r"learner\.lora\.rank = 513: .* rank 512 at most"):
        served_lora_rank(513)
