"""Stages for tests, in a module of their own: what a worker imports with them should be little."""

import os

from vaserl.curation.batch import Batch, rejecting, remaining


class RejectOdd:
    """Rejects rows whose photograph is an odd number."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, batch: Batch) -> Batch:
        return rejecting(batch, self.name, {i: "odd" for i in remaining(batch) if int(batch["photo"][i]) % 2})


class Crash:
    """A stage whose process dies, as a decoder that segfaults would make it."""

    def __call__(self, batch: Batch) -> Batch:
        os._exit(11)
