"""Tests every form of a reward function, and the results when a service fails."""

import asyncio
import threading
import time

import pytest

from vaserl.errors import UserError
from vaserl.rewards.call import RewardError, Unavailable, bind, call_rewards
from vaserl.rewards.scorer import Scorer
from vaserl.settings import RemoteSettings
from vaserl.types import DIMENSIONS, Completion, Group, Score, Task

TEXTS = ("a", "b c", "d e f")


def group(texts=TEXTS, name: str = "v1/caption") -> Group:
    task = Task(id=name, clip="", prompt="", dimensions=DIMENSIONS, record={}, reference="")
    completions = tuple(
        Completion(text=text, token_ids=(), logprobs=(), finish_reason="stop", weights_version=1) for text in texts
    )
    return Group(task=task, prompt_ids=(), completions=completions)


def per_completion(task, completion, scale=1.0):
    return scale * len(completion.text.split())


async def later(task, completion, scale=1.0):
    await asyncio.sleep(0)
    return scale * len(completion.text.split())


def per_group(group, scale=1.0):
    return [scale * len(completion.text.split()) for completion in group.completions]


async def group_later(group, scale=1.0):
    return per_group(group, scale)


class Words:
    def __init__(self, scale=1.0):
        self.scale = scale

    def __call__(self, task, completion):
        return Score(total=self.scale * len(completion.text.split()), parts={"scale": self.scale})


class WordsLater(Words):
    async def __call__(self, task, completion):
        return super().__call__(task, completion)


FORMS = [per_completion, later, per_group, group_later, Words, WordsLater]


def totals(function, arguments=None, remote=None, texts=TEXTS) -> list[float | None]:
    ((answers,),) = call_rewards([bind("m:f", function, arguments or {}, remote)], [group(texts)])
    return [answer.score and answer.score.total for answer in answers]


@pytest.mark.parametrize("function", FORMS)
@pytest.mark.parametrize("remote", [None, RemoteSettings()])
def test_call_rewards_gives_equal_scores_for_every_form(function, remote):
    assert totals(function, {"scale": 0.5}, remote) == [0.5, 1.0, 1.5]
    assert totals(function, {}, remote) == [1, 2, 3]
    assert totals(function, {}, remote, texts=()) == []


def test_call_rewards_keeps_the_order_of_functions_and_groups():
    rewards = [bind(f"m:{i}", form, {"scale": float(i)}) for i, form in enumerate(FORMS)]
    outcomes_F_P_G = call_rewards(rewards, [group(("a",), "x"), group(("b c", "d"), "y")])
    read = [[[answer.score.total for answer in g] for g in p] for p in outcomes_F_P_G]
    assert read == [[[1.0 * i], [2.0 * i, 1.0 * i]] for i in range(len(FORMS))]


@pytest.mark.parametrize("function", FORMS)
def test_bind_explains_arguments_that_dont_fit(function):
    with pytest.raises(UserError, match=r"m:f.*reward.arguments.*scael"):
        bind("m:f", function, {"scael": 2})


@pytest.mark.parametrize("function", [lambda: 1, lambda task: 1, lambda a, b, c: 1, lambda group, other: []])
def test_bind_explains_a_signature_that_doesnt_fit(function):
    with pytest.raises(UserError, match=r"must take \(task, completion\) or \(group\)"):
        bind("m:f", function, {})


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "much", [1], Score(total=0.0, parts={"x": float("nan")})]
)
def test_call_rewards_stops_at_what_is_no_score(value):
    with pytest.raises(RewardError, match=r"m:f .*v1/caption, completion 0"):
        totals(lambda task, completion: value)


def test_call_rewards_needs_one_score_for_each_completion_of_a_group():
    with pytest.raises(RewardError, match="m:f returned 2 scores for the 3 completions of v1/caption"):
        totals(lambda group: [1.0, 2.0])


@pytest.mark.parametrize("remote", [None, RemoteSettings(on_failure=0.0)])
@pytest.mark.parametrize("is_async", [False, True])
def test_call_rewards_names_the_sample_of_broken_code_local_and_remote(remote, is_async):
    def broken(task, completion):
        return {}["no such key"] if completion.text == "b c" else 1.0

    async def broken_later(task, completion):
        return broken(task, completion)

    with pytest.raises(
        RewardError, match=r"m:f failed on v1/caption, completion 1: KeyError\('no such key'\)"
    ) as error:
        totals(broken_later if is_async else broken, {}, remote)
    # the frames of the function are part of the message, once and without colours; the traceback is not shown
    assert (
        str(error.value)
        .splitlines()[-1]
        .endswith("""in broken: return {}["no such key"] if completion.text == "b c" else 1.0""")
    )
    assert f"{__file__}:" in str(error.value)
    assert "\x1b" not in str(error.value)
    assert len(str(error.value).splitlines()) <= 4


def test_call_rewards_runs_waiting_calls_concurrently():
    async def slow(task, completion):
        await asyncio.sleep(0.2)
        return 1.0

    def blocking(task, completion):
        time.sleep(0.2)
        return 1.0

    texts = ("x",) * 12
    for function, remote in ((slow, None), (blocking, RemoteSettings(max_concurrency=12))):
        start = time.monotonic()
        assert totals(function, {}, remote, texts) == [1.0] * 12
        assert time.monotonic() - start < 1.2  # in sequence they would take 2.4 s


def test_call_rewards_keeps_to_max_concurrency():
    lock, now, most = threading.Lock(), 0, 0

    def counting(task, completion):
        nonlocal now, most
        with lock:
            now, most = now + 1, max(most, now + 1)
        time.sleep(0.02)
        with lock:
            now -= 1
        return 1.0

    totals(counting, {}, RemoteSettings(max_concurrency=3), ("x",) * 12)
    assert most == 3


class Flaky:
    """A reward function that fails its first calls for a text and then returns a score."""

    def __init__(self, num_failures: int, error: type[Exception] = Unavailable):
        self.num_failures, self.error, self.calls = num_failures, error, {}

    def __call__(self, task, completion):
        self.calls[completion.text] = self.calls.get(completion.text, 0) + 1
        if self.calls[completion.text] <= self.num_failures:
            raise self.error("overloaded")
        return 1.0


@pytest.mark.parametrize("error", [Unavailable, TimeoutError, ConnectionResetError])
def test_call_rewards_retries_a_service(error):
    flaky = Flaky(2, error)
    assert totals(flaky, {}, RemoteSettings(retries=2, backoff_s=0.001)) == [1.0] * 3
    assert flaky.calls == dict.fromkeys(TEXTS, 3)


def test_call_rewards_doubles_the_backoff_with_each_retry():
    start = time.monotonic()
    totals(Flaky(2), {}, RemoteSettings(retries=2, backoff_s=0.1), ("x",))
    assert 0.3 <= time.monotonic() - start < 1.5  # 0.1 + 0.2


def test_call_rewards_stops_at_a_failing_service_by_default():
    with pytest.raises(RewardError, match=r"m:f failed on v1/caption, completion \d: Unavailable.* in 2 calls"):
        totals(Flaky(9), {}, RemoteSettings(retries=1, backoff_s=0))
    # a function that isn't declared remote is called once
    flaky = Flaky(1)
    with pytest.raises(RewardError, match="Unavailable"):
        totals(flaky)
    assert flaky.calls == {"a": 1}


@pytest.mark.parametrize("is_async", [False, True])
def test_call_rewards_ends_a_call_at_its_time_out(is_async):
    def hanging(task, completion):
        if completion.text == "a":
            time.sleep(5)
        return 1.0

    async def hanging_later(task, completion):
        if completion.text == "a":
            await asyncio.sleep(5)
        return 1.0

    start = time.monotonic()
    remote = RemoteSettings(timeout_s=0.1, retries=1, backoff_s=0, on_failure="neutral")
    assert totals(hanging_later if is_async else hanging, {}, remote) == [None, 1.0, 1.0]
    assert time.monotonic() - start < 3


def scores(function, remote=None, weights=(1.0,), others=()) -> tuple[Score, ...]:
    rewards = tuple(bind(f"m:{f.__name__}", f, {}, remote if f is function else None) for f in (function, *others))
    return Scorer(rewards=rewards, weights=weights).score(group()).scores


def fails_on_a(task, completion):
    if completion.text == "a":
        raise Unavailable("down")
    return float(len(completion.text.split()))


def test_scorer_declared_outcomes_by_hand():
    number = scores(fails_on_a, RemoteSettings(retries=0, on_failure=0.5))
    assert [s.total for s in number] == [0.5, 2.0, 3.0]
    assert [s.parts["failed"] for s in number] == [1.0, 0.0, 0.0]
    # neutral is the mean of the others' scores, so its advantage is 0
    neutral = scores(fails_on_a, RemoteSettings(retries=0, on_failure="neutral"))
    assert [s.total for s in neutral] == [2.5, 2.0, 3.0]


def test_scorer_none_counts_as_the_mean_of_the_others():
    def only_long(task, completion):
        return None if completion.text == "a" else float(len(completion.text.split()))

    mixed = scores(only_long, None, (2.0, 1.0), (per_completion,))
    # 2 · mean(2, 3) + 1, 2 · 2 + 2, 2 · 3 + 3
    assert [s.total for s in mixed] == [6.0, 6.0, 9.0]
    assert mixed[0].parts == {"per_completion/total": 1.0}
    assert mixed[1].parts == {"only_long/total": 2.0, "per_completion/total": 2.0}

    def silent(task, completion):
        return None

    assert [s.total for s in scores(silent)] == [0.0, 0.0, 0.0]


def test_scorer_failed_group_reward_fails_for_all_completions():
    def down(group):
        raise Unavailable("down")

    result = scores(down, RemoteSettings(retries=0, on_failure="neutral"), (1.0, 1.0), (per_completion,))
    assert [s.total for s in result] == [1.0, 2.0, 3.0]
    assert {s.parts["down/failed"] for s in result} == {1.0}
    with pytest.raises(RewardError, match="m:down failed on v1/caption: Unavailable"):
        scores(down, RemoteSettings(retries=0))
