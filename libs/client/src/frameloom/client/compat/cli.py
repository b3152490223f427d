"""The ``videoannotator`` command: its parts put together."""

from __future__ import annotations

from typing import Annotated

import typer

from frameloom.client.compat import housekeeping, jobs
from frameloom.client.compat.diagnose import diagnose
from frameloom.client.compat.pipelines import config, pipelines
from frameloom.client.compat.server import process, server, worker
from frameloom.client.compat.words import VERSION
from frameloom.client.pipes import QuietPipes

app = typer.Typer(
    name="videoannotator",
    cls=QuietPipes,
    help=f"VideoAnnotator's command line (as of v{VERSION}), spoken by Frameloom",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _default(
    ctx: typer.Context,
    dev: Annotated[
        bool,
        typer.Option("--dev", help="Enable development mode: allows all CORS origins (*), disables auth"),
    ] = False,
) -> None:
    """Start the API server when no subcommand is provided."""
    if ctx.invoked_subcommand is None:
        # Every address, as the original without a command; there are keys unless --dev is given.
        server(host="0.0.0.0", port=18011, dev=dev)  # noqa: S104


app.command()(server)
app.command()(worker)
app.command()(process)
app.add_typer(jobs.app)
app.command()(pipelines)
app.command()(config)
app.command()(housekeeping.info)
app.command()(housekeeping.backup)
app.command()(housekeeping.version)
app.command()(diagnose)
app.command("storage-cleanup")(housekeeping.storage_cleanup)
app.command("validate-emotion")(housekeeping.validate_emotion)
app.command("generate-token")(housekeeping.generate_token)
app.command("setup-db", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})(
    housekeeping.setup_db
)


def main() -> None:
    """The entry point of the ``videoannotator`` command."""
    app()


if __name__ == "__main__":
    main()
