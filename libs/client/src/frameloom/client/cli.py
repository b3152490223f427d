"""The ``frameloom`` command: its parts put together, and the place where faults become exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from frameloom.client import __version__
from frameloom.client.commands import job
from frameloom.client.commands.annotate import annotate
from frameloom.client.commands.cancel import cancel
from frameloom.client.commands.config import config
from frameloom.client.commands.delete import delete
from frameloom.client.commands.doctor import doctor
from frameloom.client.commands.download import download
from frameloom.client.commands.events import events
from frameloom.client.commands.health import health
from frameloom.client.commands.jobs import jobs
from frameloom.client.commands.keys import keys
from frameloom.client.commands.models import models
from frameloom.client.commands.pipelines import pipelines
from frameloom.client.commands.render import render
from frameloom.client.commands.results import results
from frameloom.client.commands.submit import submit
from frameloom.client.commands.up import up
from frameloom.client.commands.validate import validate
from frameloom.client.commands.validate_emotion import validate_emotion
from frameloom.client.commands.version import version
from frameloom.client.commands.viewer import viewer
from frameloom.client.commands.watch import watch
from frameloom.client.errors import ClientError, ExitCode
from frameloom.client.mode import MODE
from frameloom.client.pipes import QuietPipes, close_pipes
from frameloom.client.render.output import emit_json, result, say, say_error

_EPILOG = (
    "Exit codes: 0 ok. 1 a job, or a pipeline of it, failed or was cancelled; or what was checked is not "
    "valid. "
    "2 wrong usage. 3 server unreachable or at fault (5xx). 4 refused by the server (4xx). "
    "5 something is not installed. 70 a fault of this command itself. 130 interrupted.\n\n"
    "Environment: FRAMELOOM_SERVER, FRAMELOOM_API_KEY, FRAMELOOM_DATA, NO_COLOR."
)


class _Explained(TyperGroup):
    """Turns every fault into lines on standard error and an exit code; no traceback unless asked for."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the chosen command."""
        try:
            return super().invoke(ctx)
        except (TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except Exception as error:  # noqa: BLE001 - the last place before the user
            raise typer.Exit(_fault(error)) from None


class _Guarded(QuietPipes, _Explained):
    """The whole command: faults, and readers that leave early."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs the command line; see the base class for the arguments."""
        MODE.reset()
        code: Any
        try:
            code = super().main(
                args, prog_name or "frameloom", complete_var, False, windows_expand_args, **extra
            )
        except TyperException as error:
            code = _usage(error)
        except typer.Abort:
            code = ExitCode.INTERRUPTED
        if standalone_mode:
            sys.exit(int(code or 0))
        return code


def _usage(error: TyperException) -> int:
    if not error.format_message():
        return error.exit_code  # a group without a command: its help was shown instead
    command = getattr(getattr(error, "ctx", None), "command_path", "frameloom")
    say_error(error.format_message(), f"`{command} --help` tells how it is used")
    if MODE.json:
        document = {"code": "USAGE", "message": error.format_message(), "exit_code": error.exit_code}
        emit_json({"type": "error", "error": document}, pretty=False)
    return error.exit_code


def _fault(error: Exception) -> ExitCode:
    known = error if isinstance(error, ClientError) else None
    if known is None and isinstance(error, OSError):
        known = ClientError(f"The system refused: {error}")
    if known is None:
        known = ClientError(
            f"Frameloom itself failed: {type(error).__name__}: {error}",
            hint="That is a bug; please report it with what --debug shows",
        )
    try:
        say_error(known.message, known.hint)
        if MODE.debug:
            traceback.print_exception(error)
        if MODE.json:
            emit_json({"type": "error", "error": known.document()}, pretty=False)
    except BrokenPipeError:
        close_pipes()  # nobody reads why; the exit code still tells that
    return known.exit_code


def _show_version(value: bool) -> None:
    if value:
        result(f"frameloom {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="frameloom",
    cls=_Guarded,
    epilog=_EPILOG,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _frameloom(
    ctx: typer.Context,
    show_version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Turn video and audio into annotations."""
    del show_version
    if ctx.invoked_subcommand is None:
        result(ctx.get_help())


_WORK, _LOOK, _SERVER, _RUN = "Annotate", "Jobs", "The server", "This machine"
for _function, _panel in (
    (annotate, _WORK),
    (submit, _WORK),
    (watch, _WORK),
    (render, _WORK),
    (jobs, _LOOK),
    (results, _LOOK),
    (download, _LOOK),
    (cancel, _LOOK),
    (delete, _LOOK),
    (events, _LOOK),
    (pipelines, _SERVER),
    (validate, _SERVER),
    (config, _SERVER),
    (health, _SERVER),
    (viewer, _SERVER),
    (validate_emotion, _RUN),
    (up, _RUN),
    (doctor, _RUN),
    (version, _RUN),
):
    app.command(rich_help_panel=_panel)(_function)
app.add_typer(job.app, rich_help_panel=_LOOK)
app.add_typer(keys, name="keys", rich_help_panel=_LOOK)
app.add_typer(models, name="models", rich_help_panel=_RUN)


def main() -> None:
    """The entry point of the ``frameloom`` command."""
    app()


if __name__ == "__main__":
    main()
