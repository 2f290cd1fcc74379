"""Asks a judge about pairs in both orders and stores the replies; what the store has already isn't asked again."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack

from vaserl.judge.judge import JudgeQuery, PairJudge
from vaserl.judge.mode import MODES
from vaserl.judge.montage import PairImages, UnusableInput
from vaserl.judge.pair import ORDERS, MeshPair
from vaserl.judge.store import PairHashes, VerdictStore

BATCH_PAIRS = 16
"""Number of pairs that are asked together and then stored; a killed run asks at most this many again."""

_Open = Callable[[], AbstractContextManager[PairJudge]]


def ask_pairs(pairs: Sequence[MeshPair], store: VerdictStore, open_judge: _Open, images: PairImages) -> int:
    """Asks about the pairs that the store has no replies to, and returns how many these were.

    open_judge: starts the judge; called only if there is something to ask. A pair whose mesh or photograph can't be
    shown is stored as unusable.

    Raises: UserError if a file has changed since it was judged.
    """
    hashes = {pair.id: PairHashes.of(pair) for pair in pairs}
    waiting = [pair for pair in pairs if not store.is_settled(pair, hashes[pair.id])]
    if not waiting:
        return 0
    prompt = MODES[images.mode].prompt
    with ExitStack() as stack:
        judge: PairJudge | None = None
        for start in range(0, len(waiting), BATCH_PAIRS):
            queries: list[JudgeQuery] = []
            shown: list[MeshPair] = []
            for pair in waiting[start : start + BATCH_PAIRS]:
                try:
                    queries += [
                        JudgeQuery(pair=pair, order=order, prompt=prompt, images=images.of_pair(pair, order))
                        for order in ORDERS
                    ]
                except UnusableInput as error:
                    store.add_unusable(pair, hashes[pair.id], str(error))
                else:
                    shown.append(pair)
            if not shown:
                continue
            if judge is None:
                judge = stack.enter_context(open_judge())
            replies = judge.answer(queries)
            if len(replies) != len(queries):
                raise RuntimeError(f"the judge gave {len(replies)} replies to {len(queries)} queries")
            for index, pair in enumerate(shown):
                store.add(pair, hashes[pair.id], dict(zip(ORDERS, replies[2 * index : 2 * index + 2], strict=True)))
    return len(waiting)
