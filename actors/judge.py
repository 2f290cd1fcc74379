"""Judges in vLLM engines: any vision-language model that vLLM serves, asked with the chat template of its folder."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import exp
from typing import Any

import ray
from PIL import Image

from actors.cluster import connect
from actors.engine import engine_environment
from actors.placement import placed
from actors.pool import START_TIMEOUT_S, ActorPool
from vaserl.judge.judge import JudgeQuery
from vaserl.judge.reply import Reply
from vaserl.judge.settings import JudgeModelSettings
from vaserl.planning.requests import ActorRequest
from vaserl.settings import ClusterSettings

MAX_REPLY_TOKENS = 8
"""Largest number of tokens of a reply: an answer of one digit needs two, and a longer text is unparsable anyway."""
_NUM_LOGPROBS = 20
"""Number of likeliest tokens whose probabilities the engine returns; an answer that isn't among them has none."""


class JudgeWorker:
    """A vLLM engine that answers queries by greedy decoding."""

    def __init__(self, settings: JudgeModelSettings, num_images: int) -> None:
        """num_images: number of images of a query. The environment must be that of `engine_environment`."""
        from vllm import LLM, SamplingParams

        defaults: dict[str, Any] = {"max_model_len": 8192, "limit_mm_per_prompt": {"image": num_images, "video": 0}}
        if not os.environ.get("CUDA_VISIBLE_DEVICES"):
            defaults["enforce_eager"] = True
        self._llm = LLM(model=str(settings.path), dtype=settings.dtype, seed=0, **{**defaults, **settings.engine_args})
        self._sampling = SamplingParams(temperature=0.0, max_tokens=MAX_REPLY_TOKENS, logprobs=_NUM_LOGPROBS, seed=0)

    def is_ready(self) -> bool:
        """Returns True once the engine has loaded its model."""
        return True

    def answer(self, queries: Sequence[JudgeQuery]) -> list[Reply]:
        """Returns the reply to each query, in order."""
        outputs = self._llm.chat([_message(query) for query in queries], self._sampling, use_tqdm=False)
        return [_reply(output.outputs[0]) for output in outputs]


JudgeActor = ray.remote(JudgeWorker)


class JudgePool:
    """Engines of one judge, among which queries are dealt."""

    def __init__(self, pool: ActorPool) -> None:
        self._pool = pool

    def answer(self, queries: Sequence[JudgeQuery]) -> list[Reply]:
        """Returns the reply to each query, in order."""
        calls = [actor.answer.remote(share) for actor, share in self._pool.deal(list(queries))]
        return self._pool.collect(calls, "answer", len(queries))


@contextmanager
def engine_judge(settings: JudgeModelSettings, cluster: ClusterSettings, num_images: int) -> Iterator[JudgePool]:
    """Starts the judge's engines and waits until all have loaded the model; the end of the `with` block stops them."""
    request = ActorRequest(num_actors=settings.num_workers, num_cpus=settings.num_cpus, num_gpus=settings.num_gpus)
    environment = engine_environment(settings.num_gpus, max(int(settings.num_cpus), 1))
    with connect(cluster), placed({"judge": request}, cluster) as placement:
        pool = ActorPool(JudgeActor, placement["judge"], [settings, num_images], environment=environment)
        pool.wait([actor.is_ready.remote() for actor in pool.actors], "is_ready", START_TIMEOUT_S)
        yield JudgePool(pool)


def _message(query: JudgeQuery) -> Any:
    images = [{"type": "image_pil", "image_pil": Image.fromarray(image)} for image in query.images]
    return [{"role": "user", "content": [*images, {"type": "text", "text": query.prompt}]}]


def _reply(output: Any) -> Reply:
    """Returns the engine's text, and the probability of its digit among those of "1" and "2" as the first token."""
    shares = {"1": 0.0, "2": 0.0}
    for choice in output.logprobs[0].values() if output.logprobs else ():
        digit = (choice.decoded_token or "").strip()
        if digit in shares:
            shares[digit] += exp(choice.logprob)
    named, total = output.text.strip(), sum(shares.values())
    return Reply(text=output.text, probability=shares[named] / total if named in shares and total > 0 else None)
