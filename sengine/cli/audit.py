"""``sengine audit``: who asked the engine for what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def audit(
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="How many of the newest lines.")] = 50,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The engine's configuration.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Show what operators, signals and triggers did to an engine: who, how, when, and what came of it.

    Example: `sengine audit -n 10`
    """
    import msgspec

    from sengine.cli.finding import running_config
    from sengine.printable import LONGEST, printable, printable_json
    from sengine.runtime.audit import FILE_NAME, read_audit

    directory = Path(running_config(config).service.data_directory).expanduser()
    for record in list(read_audit(directory / FILE_NAME))[-last:]:
        if as_json:
            typer.echo(printable_json(msgspec.json.encode(record).decode()))
        else:
            details = " ".join(f"{name}={value}" for name, value in record.details.items())
            what = f"{record.what} {details}" if details else record.what
            # The trail has bounded each of them.
            typer.echo(printable(f"{record.time}  {record.who}, {record.how}: {what}: {record.result}", 16 * LONGEST))
