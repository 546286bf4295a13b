"""An engine and a paper service that can be killed apart from each other."""

from __future__ import annotations

from tests.integration.engine_process import EngineProcess, until
from tests.integration.process_host import ProcessHost


class Parts:
    """An engine and a paper service, each in a process that can be killed alone; the broker outlives them."""

    def __init__(self, engine: EngineProcess, host: ProcessHost, broker_url: str, *paper_options: str) -> None:
        self.engine = engine
        self.engine_pid = self.paper_pid = 0
        self._host = host
        self._data = engine.folder / "data"
        self._data.mkdir(mode=0o700)
        engine.stderr.touch()
        self._paper = [
            "paper", "--listen", f"unix:{self._data / 'paper.sock'}", "--nats", broker_url, "-c", "sengine.yaml",
            "--journal", str(self._data / "paper.journal"), "--address-file", str(self._data / "paper.address"),
            *paper_options,
        ]  # fmt: skip

    async def start(self, *names: str) -> None:
        """Start those that are not there."""
        engine, address = self.engine, self._data / "paper.address"
        if "paper" in names:
            address.unlink(missing_ok=True)
            self.paper_pid = self._host.start(*self._paper, folder=engine.folder, log=engine.folder / "paper.log")
        if "engine" in names:
            seen = len(engine.said("listening"))
            command = ["run", "--no-tui", "-c", engine.config_file.name]
            self.engine_pid = self._host.start(*command, folder=engine.folder, log=engine.stderr)
            await until(
                lambda: "http" in [line["what"] for line in engine.said("listening")[seen:]], what="a listening engine"
            )
            engine.listeners = {line["what"]: line["address"] for line in engine.said("listening")[seen:]}
            await until(lambda: engine.get("/ready")["status"] == "ready", what="a ready engine")
        await until(address.exists, what="a paper service")

    def kill(self, *names: str) -> None:
        for name in names:
            pid = self.engine_pid if name == "engine" else self.paper_pid
            if pid:
                self._host.kill(pid)
