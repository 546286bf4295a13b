"""The three themes, and their colours for what the panels draw themselves."""

from __future__ import annotations

from typing import Final

import msgspec
from textual.theme import Theme


class Palette(msgspec.Struct, frozen=True):
    """Rich styles by meaning."""

    text: str
    dim: str
    label: str
    accent: str
    up: str
    down: str
    warn: str
    bold: str


THEMES: Final = (
    Theme(
        name="sengine-dark",
        primary="#5ea1ff",
        secondary="#8b95a7",
        accent="#5ea1ff",
        success="#3fcf8e",
        error="#ff6b6b",
        warning="#f2b84b",
        foreground="#d6dce6",
        background="#0d1117",
        surface="#0d1117",
        panel="#161c26",
        dark=True,
        variables={
            "edge": "#2b3443",
            "cursor-row": "#1d2a3f",
            "footer-key-foreground": "#5ea1ff",
            "footer-background": "#161c26",
        },
    ),
    Theme(
        name="sengine-light",
        primary="#0b5cad",
        secondary="#5c6675",
        accent="#0b5cad",
        success="#0f7b4d",
        error="#c22f2f",
        warning="#8f5b00",
        foreground="#1d2430",
        background="#fbfbf9",
        surface="#fbfbf9",
        panel="#eef0f3",
        dark=False,
        variables={
            "edge": "#c3c9d2",
            "cursor-row": "#d9e6f5",
            "footer-key-foreground": "#0b5cad",
            "footer-background": "#e6e9ee",
        },
    ),
    Theme(
        name="sengine-contrast",
        primary="#00e5ff",
        secondary="#ffffff",
        accent="#00e5ff",
        success="#00ff7f",
        error="#ff7070",
        warning="#ffff00",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#000000",
        dark=True,
        variables={
            "edge": "#ffffff",
            "cursor-row": "#003a5c",
            "footer-key-foreground": "#ffff00",
            "footer-background": "#000000",
        },
    ),
)
PALETTES: Final = {
    "sengine-dark": Palette(
        text="#d6dce6",
        dim="#6b7688",
        label="#8b95a7",
        accent="#5ea1ff",
        up="#3fcf8e",
        down="#ff6b6b",
        warn="#f2b84b",
        bold="bold #f2f5fa",
    ),
    "sengine-light": Palette(
        text="#1d2430",
        dim="#737d8c",
        label="#5c6675",
        accent="#0b5cad",
        up="#0f7b4d",
        down="#c22f2f",
        warn="#8f5b00",
        bold="bold #05080d",
    ),
    "sengine-contrast": Palette(
        text="#ffffff",
        dim="#c8c8c8",
        label="#ffffff",
        accent="#00e5ff",
        up="#00ff7f",
        down="#ff7070",
        warn="#ffff00",
        bold="bold #ffffff",
    ),
}


def palette_of(theme: str) -> Palette:
    """The palette of a theme; of one that is not ours, the dark one."""
    return PALETTES.get(theme, PALETTES["sengine-dark"])


def signed(palette: Palette, amount: float | None) -> str:
    """Green above nothing, red below."""
    if amount is None or abs(amount) < 0.005:
        return palette.dim
    return palette.up if amount > 0 else palette.down
