"""Tests encoders and readers of vision features: each clip is encoded once for all readers, and a damaged entry
again."""

import subprocess
import sys
from pathlib import Path

import pytest
import ray
import torch

from actors.encoder import EncoderPool, EncoderWorker, FeatureReader, owner
from actors.learner import LearnerGroup
from actors.placement import placed
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.planning.requests import actor_request, bypass_reason
from vaserl.policy.feature_store import pack_entry, unpack_entry
from vaserl.policy.groups import demonstration_group
from vaserl.policy.layout import shared_prefix_layout
from vaserl.policy.pixel_cache import PixelCache
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.policy.vision_tower import VisionTower, feature_recipe
from vaserl.settings import (
    CAPTION_PROMPT,
    ClusterSettings,
    DataSettings,
    FeatureSettings,
    LearnerSettings,
    ModelSettings,
)
from vaserl.types import Demonstration

NUM_FRAMES = 8
UPRIGHT = (0, 0)
PLENTY = 10**9


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> ModelSettings:
    return ModelSettings(path=tiny_model, dtype="float32")


@pytest.fixture(scope="module")
def data(dataset: Path) -> DataSettings:
    return DataSettings(path=dataset, num_frames=NUM_FRAMES)


@pytest.fixture(scope="module")
def clips(dataset: Path) -> list[str]:
    return [vase.clip for split in ("train", "test") for vase in DataSet(dataset).vases(split)]


@pytest.fixture(scope="module")
def pixels(model: ModelSettings, data: DataSettings) -> PixelCache:
    return PixelCache(DataSet(data.path).clips, Prompter(model.path), NUM_FRAMES)


@pytest.fixture(scope="module")
def tower(model: ModelSettings) -> VisionTower:
    return VisionTower(model.path, "float32", "cpu")


def make_worker(model, data, folder: Path, **settings) -> EncoderWorker:
    return EncoderWorker(model, data, FeatureSettings(**settings), folder)


def counts(encoded: int = 0, damaged: int = 0, evicted: int = 0, refused: int = 0) -> dict[str, int]:
    return {"encoded": encoded, "damaged": damaged, "evicted": evicted, "refused": refused}


def test_encoder_worker_encodes_once_and_again_when_the_entry_is_damaged(
    model, data, clips, pixels, tower, tmp_path: Path
):
    worker = make_worker(model, data, tmp_path)
    recipe = feature_recipe(model.path, "float32", NUM_FRAMES)
    for _ in range(2):
        entry = worker.entry(clips[0], 1, 0)
    assert worker.counts() == counts(encoded=1)
    found = unpack_entry(recipe.key(clips[0], 1), entry.tobytes())
    assert torch.equal(found.features, tower.encode(pixels.get(clips[0], 1)).features)

    (file,) = tmp_path.glob("*.features")
    file.write_bytes(file.read_bytes()[:-1])
    again = worker.entry(clips[0], 1, 2)
    assert again.tobytes() == entry.tobytes()
    # one entry damaged here, two in the reader's store
    assert worker.counts() == counts(encoded=2, damaged=3)
    # another process with the same folder encodes nothing
    other = make_worker(model, data, tmp_path)
    assert other.entry(clips[0], 1, 0).tobytes() == entry.tobytes()
    assert other.counts() == counts()


def test_encoder_worker_make_ahead_stops_before_it_evicts(model, data, clips, pixels, tower, tmp_path: Path):
    size = len(pack_entry("0" * 64, tower.encode(pixels.get(clips[0]))))
    worker = make_worker(model, data, tmp_path, max_gb=2.5 * size / 10**9)
    assert [worker.make_ahead(clip) for clip in clips[:4]] == [True, True, False, False]
    assert worker.make_ahead(clips[0])
    assert worker.counts() == counts(encoded=2)
    worker.entry(clips[2], 0, 0)  # the requested entry is encoded and evicts another
    assert worker.counts() == counts(encoded=3, evicted=1)


def test_feature_readers_on_two_machines_share_one_encoding(cluster, model, data, clips, pixels, tower, tmp_path: Path):
    """Uses two folders as two machines. Each of the two encoders encodes only the clips that it owns."""
    settings = FeatureSettings(num_workers=2)
    requests = {"features": actor_request(settings), "odd": actor_request(FeatureSettings())}
    with placed(requests, ClusterSettings()) as placement:
        pool = EncoderPool(model, data, settings, placement["features"], run_dir=tmp_path / "here")
        here = pool.reader()
        there = FeatureReader(here._encoders, tmp_path / "there", PLENTY)
        # the rotations need every phase; a rotation by whole patches needs no further entry
        views = [(clips[0], 0, UPRIGHT), (clips[0], 3, UPRIGHT), (clips[1], 4, UPRIGHT), (clips[0], 7, UPRIGHT)]
        for reader in (here, there, here):
            for view, found in zip(views, reader.get_all(views), strict=True):
                assert (found.features - tower.encode(pixels.get(*view)).features).abs().max() <= 1e-6
        assert pool.counts() == counts(encoded=3)
        assert len(list((tmp_path / "here.features").glob("*.features"))) == 3
        assert len(list((tmp_path / "there").glob("*.features"))) == 3

        # a later reader on that machine asks an encoder only where an entry is damaged
        for file in (tmp_path / "there").glob("*.features"):
            if file.name.startswith(here.key(clips[1])):
                file.write_bytes(b"x" + file.read_bytes()[1:])
        later = FeatureReader(here._encoders, tmp_path / "there", PLENTY)
        assert torch.equal(later.get_all(views)[2].features, here.get_all(views)[2].features)
        assert (later.store.counts.hits, later.store.counts.damaged) == (2, 1)
        assert pool.counts() == counts(encoded=3, damaged=1)

        with pytest.raises(ValueError, match="shifted"):
            here.get_all([(clips[0], 0, (1, 0))])

        other = data.model_copy(update={"num_frames": 4})
        odd = EncoderPool(model, other, FeatureSettings(), placement["odd"], run_dir=tmp_path / "x")
        with pytest.raises(UserError, match="different models on the encoders' machines"):
            FeatureReader([*here._encoders, *odd._pool.actors], tmp_path / "there", PLENTY).key(clips[0])

        # `fill` encodes the rest, each clip on its owner, while readers request others
        pool.fill(clips)
        asked = [here._encoders[owner(clip, 2)].entry.remote(clip, 0, 0) for clip in reversed(clips)]
        assert len(ray.get(asked)) == len(clips)
        made = len(clips) + 1  # and one phase of the first clip
        assert pool.counts() == counts(encoded=made, damaged=1)
        assert len(list((tmp_path / "here.features").glob("*.features"))) == made


def test_learner_group_imitates_rotated_clips_from_features(cluster, model, data, clips, pixels, tmp_path: Path):
    """Compares the loss of a supervised step on two ranks with that of one process on pixels. Only the encoders may run
    the vision tower."""
    demonstrations = [
        Demonstration(clip=clip, rotation=rotation, shift=UPRIGHT, turns=((CAPTION_PROMPT, "Athenian"),) * (1 + index))
        for index, (clip, rotation) in enumerate([(clips[0], 0), (clips[1], 3), (clips[2], 6)])
    ]
    prompter = Prompter(model.path)
    videos = [pixels.get(item.clip, item.rotation) for item in demonstrations]
    groups = [demonstration_group(item, v.grid, prompter) for item, v in zip(demonstrations, videos, strict=True)]
    with torch.no_grad():
        logprobs, _ = Policy(load_model(model.path))(videos, shared_prefix_layout(groups))

    settings = LearnerSettings(num_ranks=2, num_cpus=0.3, max_tokens_per_micro_batch=100)
    requests = {"learner": actor_request(settings), "features": actor_request(FeatureSettings())}
    with placed(requests, ClusterSettings()) as placement:
        pool = EncoderPool(model, data, FeatureSettings(), placement["features"], run_dir=tmp_path / "run")
        ranks = LearnerGroup(model, data, settings, placement["learner"], pool.reader(), seed=0, num_steps=1)
        ranks.wait_until_ready()
        assert ranks.imitate(1, demonstrations).metrics["loss"] == pytest.approx(float(-logprobs.mean()), abs=1e-6)
        assert pool.counts() == counts(encoded=3)


def test_bypass_reason_names_the_setting():
    frozen = LearnerSettings()
    assert bypass_reason(frozen) is None
    assert "train_vision" in str(bypass_reason(LearnerSettings(method="full", train_vision=True)))
    assert bypass_reason(LearnerSettings(method="full")) is None
    assert "max_shift = 2" in str(bypass_reason(frozen, max_shift=2))


TWO_NODES = """
import sys
import ray
from pathlib import Path
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from actors.cluster import WORKER_ENVIRONMENT
from actors.encoder import EncoderPool, FeatureReader
from actors.placement import PlacementSlice
from vaserl.planning.requests import actor_request
from vaserl.dataset import DataSet
from vaserl.settings import DataSettings, FeatureSettings, ModelSettings

tiny_model, dataset, scratch = map(Path, sys.argv[1:])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "resources": {"first": 1}})
cluster.add_node(num_cpus=1, resources={"second": 1})
ray.init(address=cluster.address, runtime_env={"env_vars": WORKER_ENVIRONMENT})
room = actor_request(FeatureSettings())
group = placement_group([{"CPU": 0.5, "first": 1}, {"CPU": 0.5, "second": 1}], strategy="STRICT_SPREAD")
ray.get(group.ready(), timeout=60)
model, data = ModelSettings(path=tiny_model, dtype="float32"), DataSettings(path=dataset, num_frames=8)
place = PlacementSlice(name="features", group=group, bundles=(0,), request=room)
pool = EncoderPool(model, data, FeatureSettings(), place, run_dir=scratch / "first")

@ray.remote(num_cpus=0.5, scheduling_strategy=PlacementGroupSchedulingStrategy(group, 1))
def read(reader, folder, clips):
    own = FeatureReader(reader._encoders, folder, 10**9)
    found = own.get_all([(clip, 0, (0, 0)) for clip in clips])
    return ray.get_runtime_context().get_node_id(), [float(clip.features.double().sum()) for clip in found]

clips = [vase.clip for vase in DataSet(dataset).vases("train")]
here = [float(clip.features.double().sum()) for clip in pool.reader().get_all([(c, 0, (0, 0)) for c in clips])]
node, there = ray.get(read.remote(pool.reader(), scratch / "second", clips), timeout=120)
assert node != ray.get_runtime_context().get_node_id(), "both ran on one node"
assert here == there, (here, there)
assert pool.counts()["encoded"] == len(clips), pool.counts()
for folder in ("first.features", "second"):
    assert len(list((scratch / folder).glob("*.features"))) == len(clips), folder
ray.shutdown()
cluster.shutdown()
print("one encoding, two nodes")
"""


def test_feature_reader_fetches_an_entry_from_another_node(tiny_model: Path, dataset: Path, tmp_path: Path):
    """Starts a cluster of two Ray nodes in a process of its own."""
    command = [sys.executable, "-c", TWO_NODES, str(tiny_model), str(dataset), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-3000:]
    assert "one encoding, two nodes" in done.stdout
