"""The compiled engine and its source do the same, to the last bit: the same market, the same orders and fills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sengine.build_form import form

CHECKOUT = Path(__file__).parents[2]
CAPTURED = CHECKOUT.parent / "shared" / "data" / "btcusdt_perp_20240808_quotes.csv.gz"
EXAMPLES = os.environ.get("FORM_EXAMPLES", "300")

pytestmark = pytest.mark.skipif(form() != "compiled", reason="the engine is not compiled here: make fast")


def digests_of(pure: str) -> dict[str, Any]:
    captured = [str(CAPTURED)] if CAPTURED.exists() else []
    command = [sys.executable, "-m", "tests.build.form_digests", EXAMPLES, *captured]
    done = subprocess.run(
        command, env=os.environ | {"SENGINE_PURE": pure}, cwd=CHECKOUT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_both_forms_make_the_same_of_every_market() -> None:
    compiled, pure = digests_of("0"), digests_of("1")
    assert (compiled.pop("form"), pure.pop("form")) == ("compiled", "pure Python")
    assert compiled["digests"] == pure["digests"]
    assert compiled["random"] == pure["random"]
