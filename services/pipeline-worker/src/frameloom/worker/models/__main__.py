"""``python -m frameloom.worker.models``: fills, lists and checks the model cache, gives out sample clips."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from frameloom.worker.models.catalogue import CATALOGUE
from frameloom.worker.models.spec import ModelUnavailableError
from frameloom.worker.models.store import DIRECTORY_VARIABLE, ModelStore


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: Of the command line; None for the process's own.

    Returns:
        Exit status: 0 done, 1 a file can not be had or is damaged, 2 wrong usage.
    """
    options = _parser().parse_args(arguments)
    store = ModelStore(options.dir)
    try:
        return int(options.run(store, options))
    except ModelUnavailableError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m frameloom.worker.models", description=__doc__)
    parser.add_argument(
        "--dir", type=Path, help=f"cache folder (default: {DIRECTORY_VARIABLE}, or the user's cache)"
    )
    commands = parser.add_subparsers(required=True)
    pull = commands.add_parser("pull", help="fetch the models of the built-in pipelines and the sample clips")
    pull.add_argument("names", nargs="*", metavar="NAME", help="only these")
    pull.add_argument("--all", action="store_true", help="optional models too")
    pull.set_defaults(run=_pull)
    commands.add_parser("list", help="what there is, and what is cached").set_defaults(run=_list)
    commands.add_parser("verify", help="read all cached files and compare their sha256").set_defaults(
        run=_verify
    )
    sample = commands.add_parser("sample", help="copy a sample clip to a file")
    sample.add_argument("name", choices=[s.name for s in CATALOGUE if s.kind == "sample"])
    sample.add_argument("--out", type=Path, required=True, help="file, or folder")
    sample.set_defaults(run=_sample)
    return parser


def _pull(store: ModelStore, options: argparse.Namespace) -> int:
    names = options.names or [spec.name for spec in store.specs if options.all or not spec.optional]
    fetched = store.pull(names)
    sys.stdout.write(f"{len(names)} files in {store.directory}, {len(fetched)} of them new\n")
    return 0


def _list(store: ModelStore, options: argparse.Namespace) -> int:  # noqa: ARG001 - all commands are called alike
    for spec in store.specs:
        state = "cached" if store.has(spec.name) else "optional" if spec.optional else "missing"
        sys.stdout.write(
            f"{spec.name:<22} {spec.kind:<7} {state:<9} {spec.size_bytes / 1e6:7.1f} MB  "
            f"{spec.source.origin:<34} {spec.licence}\n"
        )
    return 0


def _verify(store: ModelStore, options: argparse.Namespace) -> int:  # noqa: ARG001
    states = store.verify()
    for name, good in states.items():
        sys.stdout.write(f"{name:<22} {'ok' if good else 'DAMAGED'}\n")
    return 0 if all(states.values()) else 1


def _sample(store: ModelStore, options: argparse.Namespace) -> int:
    out: Path = options.out
    target = out if out.suffix and not out.is_dir() else out / store.spec(options.name).file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(store.path(options.name), target)
    sys.stdout.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
