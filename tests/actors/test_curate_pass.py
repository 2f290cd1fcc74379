"""Tests a pass over shards without workers: how it waits for the files that workers write."""

import threading

import pytest

from actors import curate_pass
from actors.curate_pass import run_pass
from tests.fakes.curation_stages import KeepAll, prepared
from vaserl.curation.job.batch import INPUT_COLUMNS, batch_of
from vaserl.curation.job.isolated import Effort
from vaserl.curation.job.journal import Journal, key_after
from vaserl.curation.job.pool import Pool
from vaserl.curation.job.shards import Shard
from vaserl.curation.settings import PoolSettings
from vaserl.errors import UserError

ROWS = [dict.fromkeys(INPUT_COLUMNS, "") | {"photo": "a"}]
STAGE = prepared("quality", KeepAll)
SHARD = Shard(number=0, file="", rows=None, columns=None, num_rows=1, key="0" * 32)


def run(dataset) -> int:
    pools = [Pool(stages=[STAGE], settings=PoolSettings())]
    return run_pass("filters", [SHARD], pools, dataset, lambda: None).efforts["quality"].rows


def test_run_pass_waits_for_a_shard_that_another_machine_has_written(tmp_path, monkeypatch):
    """Delays the file as NFS can, which caches for a while that a name does not exist."""
    late: list[threading.Timer] = []

    def elsewhere(missing, pools, dataset):
        (shard,) = missing
        write = (STAGE.name, key_after(shard.key, [STAGE]), batch_of(ROWS))
        late.append(threading.Timer(0.3, Journal(dataset).write, write))
        late[0].start()
        yield shard, {"quality": Effort(rows=1)}

    monkeypatch.setattr(curate_pass, "stream", elsewhere)
    monkeypatch.setattr(curate_pass, "LOOK_EVERY_S", 0.05)
    assert run(tmp_path) == 1
    late[0].join()


def test_run_pass_folder_that_workers_do_not_share_ends_the_job(tmp_path, monkeypatch):
    monkeypatch.setattr(curate_pass, "stream", lambda missing, *_: ((shard, {}) for shard in missing))
    monkeypatch.setattr(curate_pass, "SEEN_WITHIN_S", 0.1)
    monkeypatch.setattr(curate_pass, "LOOK_EVERY_S", 0.05)
    with pytest.raises(UserError, match="workers have finished 1 shards, but 1 can't be found on this machine"):
        run(tmp_path)
