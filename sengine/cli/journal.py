"""``sengine journal``: what a journal holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sengine.adapters.journal.reader import Entry, JournalReader

journal_app = typer.Typer(no_args_is_help=True, help="Look into the record of live sessions.")
_Folder = Annotated[
    Path, typer.Argument(metavar="JOURNAL", show_default=False, help="A journal, or the data directory it is in.")
]
_From = Annotated[str, typer.Option("--from", metavar="SEGMENT[:BYTE]", help="Begin at this record.")]
_Until = Annotated[str, typer.Option(metavar="SEGMENT[:BYTE]", help="End before this record.")]


@journal_app.command()
def stat(journal: _Folder) -> None:
    """Segments, sessions and how many records of each kind there are.

    Example: `sengine journal stat data`
    """
    from collections import Counter

    from sengine.adapters.journal.format import journal_folder
    from sengine.adapters.journal.reader import JournalReader
    from sengine.clock import format_timestamp

    reader = JournalReader(journal_folder(journal))
    for number, header in reader.headers().items():
        begins = f"session {header.session.rstrip('-') or 'simulated'} begins" if header.starts_session else "goes on"
        size = reader.size(number)
        typer.echo(f"{number:>6}  {format_timestamp(header.time_ns)}  {size:>12,} bytes  {begins}")
    kinds: Counter[str] = Counter(type(entry.record).__name__ for entry in reader)
    for kind, count in kinds.most_common():
        typer.echo(f"{count:>12,}  {kind}")
    _tell(reader)


@journal_app.command()
def inspect(
    journal: _Folder,
    start: _From = "",
    until: _Until = "",
    market_data: Annotated[bool, typer.Option("--market-data", help="Show market data too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many records.")] = 100,
) -> None:
    """Show records, one line each, with their place.

    Example: `sengine journal inspect data --limit 20`
    """
    from sengine.adapters.journal.format import MARKET_TAGS, journal_folder
    from sengine.adapters.journal.reader import JournalReader
    from sengine.adapters.journal.words import in_words

    reader = JournalReader(journal_folder(journal))
    shown = 0
    for entry in _chosen(reader, start, until):
        if entry.tag in MARKET_TAGS and not market_data:
            continue
        typer.echo(f"{entry.segment}:{entry.offset}  {in_words(entry.record)}")
        shown += 1
        if shown == limit:
            break
    _tell(reader)


@journal_app.command()
def export(journal: _Folder, start: _From = "", until: _Until = "") -> None:
    """Print records as JSON, one line each: `segment`, `offset`, `kind` and `record`.

    Example: `sengine journal export data > session.jsonl`
    """
    import msgspec

    from sengine.adapters.journal.format import journal_folder
    from sengine.adapters.journal.reader import JournalReader

    encode = msgspec.json.Encoder(enc_hook=repr).encode
    reader = JournalReader(journal_folder(journal))
    for entry in _chosen(reader, start, until):
        line: dict[str, Any] = {
            "segment": entry.segment,
            "offset": entry.offset,
            "kind": type(entry.record).__name__,
            "record": entry.record,
        }
        typer.echo(encode(line))
    for sentence in reader.left_out.told():
        typer.echo(sentence, err=True)


@journal_app.command()
def rebuild(
    journal: _Folder,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Make it here.", show_default=False)
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The engine's configuration.")] = None,
) -> None:
    """Make the store of records, which `sengine history` reads, anew from the journal.

    The engine must be stopped, unless -o names another file.

    Example: `sengine journal rebuild data`
    """
    from time import perf_counter

    from sengine.adapters.journal.format import journal_folder
    from sengine.adapters.store.rebuild import rebuild as make_anew

    folder = journal_folder(journal)
    path = output.absolute() if output is not None else _store_beside(folder, config)
    began_s = perf_counter()
    rebuilt = make_anew(path, folder)
    typer.echo(f"{path}: {rebuilt.rows:,} rows, {perf_counter() - began_s:.1f} s")
    if rebuilt.carried_over:
        typer.echo(f"{rebuilt.carried_over:,} of them from before the journal begins, out of the store that was there")
    if rebuilt.aside is not None:
        typer.echo(f"the store that was there is now {rebuilt.aside}")


def _tell(reader: JournalReader) -> None:
    """What could not be read."""
    for sentence in reader.left_out.told():
        typer.echo(sentence)
    if reader.torn is not None:
        typer.echo(str(reader.torn))


def _store_beside(folder: Path, config: Path | None) -> Path:
    """The store of the engine that wrote this journal. Raises ``SengineError`` while it runs."""
    from sengine.adapters.journal.reader import JournalReader
    from sengine.adapters.store.schema import FILE_NAME
    from sengine.config import load_config
    from sengine.errors import SengineError
    from sengine.service.data_directory import is_in_use

    data = folder.absolute().parent
    if is_in_use(data):
        raise SengineError(
            f"an engine runs in {data} and keeps its store up itself; stop it first with `sengine stop`, or name "
            "another file with -o"
        )
    if config is not None:
        given = load_config(config).position_tracker.db_path
    else:
        headers = JournalReader(folder).headers()
        given = headers[max(headers)].config.get("position_tracker", {}).get("db_path", "") if headers else ""
    return Path(given).expanduser().absolute() if given else data / FILE_NAME


def _chosen(reader: JournalReader, start: str, until: str) -> Iterator[Entry]:
    from sengine.errors import DamageError

    first = _place(start, "--from") if start else (next(iter(reader.paths)), 0)
    end = _place(until, "--until") if until else None
    try:
        for entry in reader.since(*first):
            if end is not None and (entry.segment, entry.offset) >= end:
                return
            yield entry
    except DamageError as damage:
        if end is None or damage.place < end:
            raise


def _place(text: str, option: str) -> tuple[int, int]:
    from sengine.errors import ConfigError

    segment, _, offset = text.partition(":")
    if not (segment.isascii() and segment.isdigit() and (not offset or (offset.isascii() and offset.isdigit()))):
        raise ConfigError([f'{option}: expected SEGMENT or SEGMENT:BYTE, as in 3:4096, got "{text}"'])
    return int(segment), int(offset or 0)
