"""The curation job: the stages of `vaserl.curation.pipeline` on pools of Ray Data.

There are two passes. The first runs every photograph through the filters. Then the best view of each vase is chosen,
which needs all of its views. The second pass runs the chosen photographs through the other stages: lift (photograph to
mesh), mesh gate (rejection of bad meshes), turntable (video of the mesh) and texts. Vases of which no model came are
tried again with their next best view. Photographs are passed between
stages as paths, and the stages decode them. Finished rows are saved in files, so that the same command resumes a killed
run and writes the manifest that the run would have written.
"""

import contextlib
import logging
from collections.abc import Mapping, Sequence

import pyarrow as pa
import ray

from actors.cluster import connect
from actors.curate_pass import run_pass
from actors.describe import CaptionEngine
from vaserl.curation.finish import FinishedPasses, files_of_pass, tidy, write_results
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.passes import PassSummary
from vaserl.curation.job.pool import Pool
from vaserl.curation.job.shards import Shard, lift_shards, source_shards
from vaserl.curation.job.thresholds import Threshold, check_thresholds, resolve_thresholds
from vaserl.curation.job.tries import lift_best_views
from vaserl.curation.job.views import choose_views
from vaserl.curation.outcome.summary import CurationSummary
from vaserl.curation.pipeline import PIPELINE, Pipeline
from vaserl.curation.settings import CurateSettings
from vaserl.curation.source import check_apart, folder_of, read_photograph_source
from vaserl.curation.stage import StageContext
from vaserl.curation.stages.lift import place_of_given
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files import locked
from vaserl.files.storage import versions_below

_logger = logging.getLogger(__name__)


def curate(settings: CurateSettings, pipeline: Pipeline = PIPELINE) -> CurationSummary:
    """Runs the curation job, writes the data set and returns a summary.

    Files of the data set: manifest.parquet, models/, clips/, DATASET.md with its picture, the settings with the value
    of every threshold, and curation.json. Rows that an earlier run with the same settings has finished are reused.

    Raises: UserError, before any actor is started, for an input, a model or a program that can't be used, and when
    another process is curating the same data set.
    """
    photographs = read_photograph_source(settings.source)
    check_apart(settings.source, settings.dataset)
    pipeline.check(StageContext(settings=settings))
    check_thresholds(settings, pipeline)
    settings, thresholds = resolve_thresholds(settings, photographs, pipeline)
    return curate_table(photographs, settings, thresholds, pipeline)


def curate_table(
    photographs: pa.Table,
    settings: CurateSettings,
    thresholds: Sequence[Threshold] = (),
    pipeline: Pipeline = PIPELINE,
) -> CurationSummary:
    """Runs the curation job over a table of photographs from `read_photograph_source`, and returns a summary.

    thresholds: values and origins of the thresholds, listed in DATASET.md.
    """
    context = StageContext(settings=settings, make_writer=CaptionEngine)
    filters, lift = pipeline.filter_pools(context), pipeline.lift_pools(context)
    dataset = DataSet(settings.dataset)
    with locked(dataset.work), contextlib.ExitStack() as running:

        def start_cluster() -> None:
            running.enter_context(connect(settings.cluster))
            check_resources({"the filters": filters, "the second pass": lift})

        journal = Journal(settings.dataset)
        if num_earlier := journal.adopt():
            _logger.warning(
                "%s: the %d finished shards of an earlier version of vaserl can't be reused; starting again from "
                "the photographs",
                settings.dataset,
                num_earlier,
            )
        num_unfinished = dataset.sweep()
        if num_unfinished:
            _logger.warning("%s: removed %d unfinished files that a killed run left", settings.dataset, num_unfinished)
        source = folder_of(settings.source)
        versions = versions_below(source)
        shards = source_shards(photographs, journal, settings.journal.num_rows, versions)
        kinds = labelled_kinds(photographs)
        del photographs
        filtered = run_pass("filters", shards, filters, settings.dataset, start_cluster)
        read = [column.name for column in pipeline.choice.reads]
        choose, given = pipeline.choice_over_batches(context), place_of_given(settings.lift, source)

        def run(attempt: int, some: Sequence[Shard]) -> PassSummary:
            name = "second pass" if attempt == 1 else f"second pass, try {attempt}"
            return run_pass(name, some, lift, settings.dataset, start_cluster)

        second = lift_best_views(
            lambda tried: choose_views(filtered.shards, journal, choose, read, tried),
            lambda choice: lift_shards(
                filtered.shards, choice, journal, settings.journal.num_rows_lift, given, versions
            ),
            run,
            journal,
            retried=() if given else pipeline.model_stages,  # a given model is not made from the photograph
        )
        used = files_of_pass(shards, filters, journal) | files_of_pass(second.shards, lift, journal)
        num_stale = tidy(settings, journal.stale(used))
        passes = FinishedPasses(filters=filtered, losers=second.losers, lift=second.summary)
        return write_results(settings, kinds, thresholds, passes, num_stale, pipeline)


def check_resources(passes: Mapping[str, Sequence[Pool]]) -> None:
    """Checks that the cluster has the CPUs and GPUs that the pools of each pass reserve.

    passes: pools by the name of the pass.

    Raises: UserError when the cluster has fewer, because the pass would then never start.
    """
    has = ray.cluster_resources()
    for name, pools in passes.items():
        for resource, key in (("CPU", "num_cpus"), ("GPU", "num_gpus")):
            asked = sum(pool.settings.num_workers * getattr(pool.settings, key) for pool in pools)
            if asked > has.get(resource, 0) + 1e-6:
                raise UserError(
                    f"{name} needs {asked:g} {resource}, but the cluster has {has.get(resource, 0):g}; lower "
                    f"num_workers or {key} of [pool] and [pool.NAME], or raise cluster.{key}"
                )


def labelled_kinds(photographs: pa.Table) -> dict[str, str]:
    """Returns the kind label of each labelled photograph, by the photograph's `photo` key."""
    labelled = photographs.select(["photo", "kind"]).to_pylist()
    return {row["photo"]: row["kind"] for row in labelled if row["kind"]}
