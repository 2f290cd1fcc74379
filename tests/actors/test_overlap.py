"""Tests that weights which reach an engine while it samples wait until it has finished: no completion mixes two
versions."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from actors.placement import placed
from actors.rollout import RolloutPool
from vaserl.dataset import DataSet
from vaserl.planning.requests import actor_request
from vaserl.policy.adapter import adapter_files, add_lora
from vaserl.policy.policy import load_model
from vaserl.policy.weights import make_weights
from vaserl.settings import ClusterSettings, DataSettings, ModelSettings, RolloutSettings
from vaserl.types import Group


def adapters(model: Path) -> list[dict[str, bytes]]:
    """Returns the files of two adapters with very different weights."""
    peft = add_lora(load_model(model), rank=8, alpha=16)
    found = []
    for seed in (1, 2):
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(seed + len(name)))
        found.append(adapter_files(peft))
    return found


def written(groups: list[Group]) -> list[tuple]:
    return [(c.token_ids, c.logprobs) for group in groups for c in group.completions]


def versions(groups: list[Group]) -> set[int]:
    return {c.weights_version for group in groups for c in group.completions}


def test_rollout_pool_finishes_completions_before_it_takes_weights(cluster, tiny_model: Path, dataset: Path):
    model, data = ModelSettings(path=tiny_model, dtype="float32"), DataSettings(path=dataset, num_frames=4)
    engine_args = {"max_model_len": 512, "max_num_seqs": 32}
    settings = RolloutSettings(group_size=4, max_new_tokens=48, engine_args=engine_args, num_cpus=1)
    tasks = [vase.caption_task() for vase in DataSet(dataset).vases("train")]
    one, two = adapters(tiny_model)
    with placed({"rollout": actor_request(settings)}, ClusterSettings()) as placement:
        pool = RolloutPool(model, data, settings, placement["rollout"], max_lora_rank=8, seed=0)
        pool.publish(make_weights(1, one))
        by_one = written(pool.generate(tasks, step=1))
        pool.publish(make_weights(2, two))
        held_out = [vase.caption_task() for vase in DataSet(dataset).vases("test")]
        greedy_by_two = written(pool.greedy(held_out))
        by_two = written(pool.generate(tasks, step=1))
        assert by_one != by_two  # the seeds are equal, so the weights make the difference

        # the same work, all submitted while the engine samples the first request, and collected out of order
        first_publish = pool.submit_weights(make_weights(3, one))
        first = pool.submit(tasks, step=1)
        second_publish = pool.submit_weights(make_weights(4, two))
        greedy = pool.submit_greedy(held_out)
        second, also_second = pool.submit(tasks, step=1), pool.submit(tasks[:1], step=1)
        late = pool.collect(second)
        early = pool.collect(first)
        assert [pool.confirm(publishing).version for publishing in (first_publish, second_publish)] == [3, 4]
        assert (versions(early), versions(late)) == ({3}, {4})
        assert written(early) == by_one
        assert written(late) == by_two
        # greedy captions wait for the weights submitted before them, and change nothing that is sampled afterwards
        captions = pool.collect(greedy)
        assert versions(captions) == {4} and written(captions) == greedy_by_two
        assert [len(group.completions) for group in captions] == [1, 1]
        assert len(written(pool.collect(also_second))) == settings.group_size

        with pytest.raises(RuntimeError, match=r"v00/caption: sampled by weights v4, not by v5"):
            pool.collect(replace(second, version=5))
        with pytest.raises(RuntimeError, match=r"published weights v5, but the engines serve versions \[4\]"):
            pool.confirm(replace(second_publish, weights=make_weights(5, two)))
