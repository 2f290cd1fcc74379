"""vaserl table: prints the systems of several evaluations in one table."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `table` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser("table", help="print the systems of several evaluations in one table")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="evaluation.json of each evaluation")
    parser.add_argument("--format", choices=("md", "csv", "tex", "html"), default="md", help="form (%(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Prints the tables of the evaluations.

    Raises: UserError for a file that isn't an evaluation, or if the evaluations can't stand in one table.
    """
    import json

    from vaserl.errors import UserError
    from vaserl.report.evaluation_tables import evaluation_tables, merged_results, to_csv
    from vaserl.report.table_formats import to_html, to_latex, to_markdown

    results = {}
    for path in arguments.files:
        try:
            results[str(path)] = json.loads(path.read_text(encoding="utf-8"))
            results[str(path)]["comparable"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no evaluation.json of this version: {error!r}") from error
    merged = merged_results(results)
    forms = {"md": to_markdown, "tex": to_latex, "html": lambda tables: to_html("Evaluations of captions", tables)}
    text = to_csv(merged) if arguments.format == "csv" else forms[arguments.format](evaluation_tables(merged))
    print(text, end="")
