"""vaserl check DATA: checks photographs and records before a curation run, or a data set before training."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `check` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser(
        "check",
        help="list what is wrong with photographs and records, or with a data set, before a run",
        description="Counts photographs, records and rows, lists by file and row the problems that would stop a run or "
        "drop a row, and shows prompts and answers for three of the vases. Exit code 1 if there is such a problem.",
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        help="folder, URL or list of photographs (see source.path), or folder of a curated or published data set",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="CONFIG",
        help="TOML file whose section [source] describes DATA: the config of a curate job, or only that section",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="MODEL",
        help="folder of a model whose chat template is applied to the prompts shown",
    )
    parser.add_argument(
        "--max-photographs",
        type=int,
        default=1000,
        metavar="N",
        help="decode at most N photographs, evenly spread (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints the numbers of photographs, records and rows, the problems found in them, and the prompts and answers of
    up to three vases.

    Returns: exit code 1 if a problem would stop a run or drop a row, else 0.
    """
    from vaserl.curation.check import check_dataset, check_photographs, check_published
    from vaserl.curation.check.checked import page
    from vaserl.curation.published import is_published
    from vaserl.curation.settings import CurateSettings, SourceSettings
    from vaserl.curation.stages.source import SOURCE
    from vaserl.dataset import DataSet
    from vaserl.settings.section import load_section

    dataset = DataSet(Path(arguments.data))
    if dataset.exists:
        checked = check_dataset(dataset, arguments.model)
    elif is_published(Path(arguments.data)):
        checked = check_published(Path(arguments.data), arguments.model)
    else:
        source = SourceSettings(path=arguments.data)
        if arguments.config is not None:
            source = load_section(CurateSettings, SOURCE.name, arguments.config, {"path": arguments.data})
            assert isinstance(source, SourceSettings)
        checked = check_photographs(source, arguments.max_photographs, arguments.model)
    print(page(checked))
    return int(checked.costs)
