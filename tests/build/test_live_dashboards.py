"""What the dashboards show of a live engine, asked of a real Prometheus that scrapes it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.build.test_dashboards import DASHBOARD
from tests.integration.test_faults import free_port
from tests.patience import PATIENCE_S

# Empty while all goes well.
OF_TROUBLE = {
    "Risk Filter Rejections", "Strategy errors", "Hot reloads", "Refused, missing, dropped", "What did not fit",
    "Strategies over budget or stalled",
}  # fmt: skip


@contextmanager
def running(*command: str, folder: Path) -> Iterator[None]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, **quiet) as process:  # type: ignore[call-overload]
        try:
            yield
        finally:
            process.terminate()


def series(address: str, expression: str) -> int:
    """How many of them the answer has; 0 as well while nobody answers."""
    try:
        with urlopen(f"http://{address}/api/v1/query?{urlencode({'query': expression})}", timeout=PATIENCE_S) as reply:
            return len(json.load(reply)["data"]["result"])
    except (URLError, ConnectionError):
        return 0


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus here")
def test_every_panel_shows_what_a_live_engine_does(tmp_path: Path) -> None:
    engine, prometheus = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    scrape = {"job_name": "sengine", "static_configs": [{"targets": [engine]}]}
    # JSON is YAML.
    (tmp_path / "prometheus.yml").write_text(
        json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]})
    )
    demo = [sys.executable, "-m", "sengine", "demo", "--no-tui", "--set", f"service.port={engine.rpartition(':')[2]}"]
    demo += ["--set", f"service.data_directory={tmp_path / 'data'}"]
    options = ["--config.file=prometheus.yml", "--storage.tsdb.path=stored", f"--web.listen-address={prometheus}"]
    wanted = [
        (panel["title"], target["expr"].replace('"$job"', '"sengine"').replace("$__rate_interval", "5s"))
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
        if panel["title"] not in OF_TROUBLE
    ]
    assert len(wanted) > 20
    with running(*demo, folder=tmp_path), running("prometheus", *options, folder=tmp_path):
        end_s = monotonic() + PATIENCE_S
        while missing := [each for each in wanted if not series(prometheus, each[1])]:
            assert monotonic() < end_s, f"nothing to show: {missing}"
            sleep(0.5)
