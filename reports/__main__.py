"""What is done with the record of a run: `python -m reports html RESULTS`."""

import argparse
import sys
from pathlib import Path

from reports.html import ReportError, make


def main() -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reports", description="What is done with the record of a run")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    html = commands.add_parser("html", help="make one HTML file of Allure results, to open from disk")
    html.add_argument("results", type=Path, help="the folder given to pytest as --alluredir")
    html.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("report", "constancia.html"),
        metavar="FILE",
        help="the file to write (default: report/constancia.html)",
    )
    chosen = parser.parse_args()
    try:
        report = make(chosen.results, chosen.output)
    except ReportError as reason:
        print(f"No report was made: {reason}", file=sys.stderr)  # noqa: T201 -- a command says how it went
        return 1
    print(f"The report: {report.as_uri()}")  # noqa: T201 -- same
    return 0


if __name__ == "__main__":
    sys.exit(main())
