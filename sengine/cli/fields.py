"""How keys and parameters are listed: what each takes on one line, what it means below it."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from rich.console import Console
from rich.text import Text

from sengine.config import FieldDescription


def print_fields(console: Console, fields: Iterable[FieldDescription]) -> None:
    """Print two or more lines a field; only the meaning is wrapped, so that keys can be copied and searched for."""
    for field in fields:
        default = "required" if field.default is None else f"default {field.default}"
        console.print(Text.assemble((field.name, "bold"), f"  {field.expected}; {default}"), soft_wrap=True)
        for line in wrap(field.doc, max(20, console.width - 4)):
            console.print(Text(f"    {line}", "dim"), soft_wrap=True)
