"""Tests an engine that is divided over two shards (tensor parallel) inside a job's placement group."""

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

SHORT = {"max_model_len": 256, "max_num_seqs": 8}


@pytest.mark.slow
def test_divided_engine_writes_what_an_undivided_one_writes(cluster, tiny_model, dataset):
    peft = add_lora(load_model(tiny_model), rank=4, alpha=8)
    random = torch.Generator().manual_seed(3)
    for name, parameter in peft.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.2, generator=random)
    tasks = [vase.caption_task() for vase in DataSet(dataset).vases("train")]

    def captions(shards: int) -> list[tuple[int, ...]]:
        settings = RolloutSettings(
            max_new_tokens=12, num_cpus=0.5, engine_args={**SHORT, "tensor_parallel_size": shards}
        )
        model, data = ModelSettings(path=tiny_model, dtype="float32"), DataSettings(path=dataset, num_frames=8)
        requests = {"rollout": actor_request(settings)}
        with placed(requests, ClusterSettings(placement_timeout_s=60)) as placement:
            pool = RolloutPool(model, data, settings, placement["rollout"], max_lora_rank=4, seed=0)
            pool.wait_until_ready()
            pool.publish(make_weights(1, adapter_files(peft)))  # the shards' weights are read back and compared
            return [group.completions[0].token_ids for group in pool.greedy(tasks)]

    assert captions(2) == captions(1)
