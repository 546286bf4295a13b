from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import aclosing
from os import getuid
from pathlib import Path
from pwd import getpwuid
from typing import get_type_hints

import grpc
import msgspec
import pytest

from sengine.adapters.control import views as control_views
from sengine.adapters.control.address import Address, configured_address, parse_address
from sengine.adapters.control.client import ControlClient
from sengine.adapters.control.errors import RefusedError, UnreachableError
from sengine.adapters.control.reading import read
from sengine.adapters.control.views import View
from sengine.config.schema import ApiConfig, Config, ServiceConfig
from sengine.errors import ConfigError
from sengine.proto import engine_pb2 as pb
from sengine.runtime.audit import AuditTrail, read_audit
from tests.adapters.served_engine import (
    live_engine,
    served,
    within,
)
from tests.engine.conftest import Actor, long, quote

MESSAGES = {
    "StrategyView": pb.StrategyState,
    "StrategiesView": pb.ListStrategiesResponse,
    "PositionsView": pb.GetPositionsResponse,
    "SignalsView": pb.SignalBatch,
    "LogLineView": pb.LogLine,
    "LogView": pb.LogBatch,
    "StrategyDetailView": pb.StrategyDetail,
    "SymbolView": pb.SymbolState,
    "LevelView": pb.PriceLevel,
    "MarketView": pb.MarketDetail,
    "FeedView": pb.FeedHealth,
    "GatewayView": pb.GatewayHealth,
    "ServiceView": pb.ServiceInfo,
    "ReplyView": pb.CommandReply,
    "ReloadView": pb.ReloadReply,
    "ReplayView": pb.ReplayProgress,
    "FlattenView": pb.FlattenReply,
    "StrategyFillView": pb.StrategyFill,
}
VIEWS = [each for each in vars(control_views).values() if isinstance(each, type) and issubclass(each, View)]


@pytest.mark.parametrize("view", [each for each in VIEWS if each is not View], ids=lambda view: view.__name__)
def test_every_view_has_every_field_of_its_message(view: type[View]) -> None:
    message = MESSAGES.get(view.__name__) or getattr(pb, view.__name__.removesuffix("View"))
    names = {field.name.removesuffix("_json") for field in message.DESCRIPTOR.fields}
    assert set(get_type_hints(view)) == names
    read(view, message())


def test_what_is_absent_is_none_and_json_is_decoded() -> None:
    order = read(control_views.OpenOrderView, pb.OpenOrder(order_id="1"))
    assert order.limit_price is None
    assert read(control_views.OpenOrderView, pb.OpenOrder(limit_price=0.0)).limit_price == 0.0
    line = read(control_views.LogLineView, pb.LogLine(fields_json='{"a": [1]}'))
    assert line.fields == {"a": [1]}


async def test_a_snapshot_is_plain_values(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long()))
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        view = await client.snapshot()
    assert json.loads(msgspec.json.encode(view))["strategies"][0]["strategy_id"] == "a"
    assert isinstance(view.strategies, tuple)
    assert isinstance(view.dispositions, dict)


async def test_no_engine_is_a_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    async with ControlClient(f"unix:{path}") as client:
        for call in (client.snapshot(), anext(client.log())):
            with pytest.raises(UnreachableError) as caught:
                await within(5, call)
            assert str(caught.value) == f"no engine answers on unix:{path}; start one with `sengine run`"


async def test_no_engine_on_a_port_is_the_same_sentence() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    async with ControlClient(address, "t") as client:
        with pytest.raises(UnreachableError, match=f"no engine answers on {address}"):
            await within(10, client.snapshot())


async def test_an_engine_that_hangs_is_unreachable_after_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "hung.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        async with ControlClient(f"unix:{path}", timeout_s=0.2) as client:
            with pytest.raises(UnreachableError):
                await within(5, client.snapshot())


async def test_another_service_on_the_address_is_said_to_be_none_of_ours(tmp_path: Path) -> None:
    server = grpc.aio.server()
    server.add_insecure_port(f"unix:{tmp_path}/other.sock")
    await server.start()
    async with ControlClient(f"unix:{tmp_path}/other.sock") as client:
        with pytest.raises(RefusedError, match="is no engine, or one of another version"):
            await client.snapshot()
    await server.stop(None)


async def test_a_client_reattaches_to_an_engine_that_comes_back(tmp_path: Path) -> None:
    async with served(live_engine(), tmp_path) as (client, _):
        address = client.address
        async with ControlClient(address) as patient:
            assert (await patient.snapshot()).ticks == 0
    async with ControlClient(address) as patient:
        with pytest.raises(UnreachableError):
            await patient.snapshot()
        async with served(live_engine(), tmp_path):

            async def until_it_answers() -> None:
                while True:
                    try:
                        await patient.snapshot()
                        return
                    except UnreachableError:
                        continue

            await within(10, until_it_answers())


def test_the_default_address_is_the_socket_in_the_data_directory(tmp_path: Path) -> None:
    config = Config(service=ServiceConfig(data_directory=str(tmp_path)))
    assert str(configured_address(config)) == f"unix:{tmp_path}/engine.sock"
    config = Config(api=ApiConfig(listen="[::1]:9000"))
    assert configured_address(config) == Address(None, "::1", 9000)
    assert str(configured_address(config)) == "[::1]:9000"


@pytest.mark.parametrize("text", ["", "unix:", "host", "host:", ":1", "host:99999", "a b:1", "http://x:1"])
def test_what_is_no_address_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match="--address: expected unix:/path or host:port"):
        parse_address(text, "--address")


def test_loopback_is_told_from_what_others_reach() -> None:
    local = ["unix:/x", "127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"]
    assert all(parse_address(text).is_loopback for text in local)
    assert not any(parse_address(text).is_loopback for text in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "trader:1"])


def test_the_client_imports_no_engine() -> None:
    script = (
        "import sys, sengine.adapters.control.client\n"
        "engine = ('sengine.engine', 'sengine.plugins', 'sengine.runtime.live_engine')\n"
        "print([name for name in sys.modules if name.startswith(engine)])"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert printed.stdout == "[]\n"


# TLS.


async def test_mutual_tls_wants_a_certificate_and_a_token(tmp_path: Path, certificates: Path) -> None:
    def file(name: str) -> str:
        return str(certificates / name)

    api = ApiConfig(
        listen="127.0.0.1:0",
        token="s3cret",
        tls_cert=file("engine.pem"),
        tls_key=file("engine.key"),
        tls_ca=file("ca.pem"),
    )
    own = {"tls_ca": file("ca.pem"), "tls_cert": file("client.pem"), "tls_key": file("client.key")}
    async with served(live_engine(), tmp_path, api) as (plain, service):
        service.facts.audit = trail = AuditTrail(tmp_path, pytest.fail)
        async with ControlClient(plain.address, "s3cret", **own) as client:
            await within(5, client.kill("a drill"))
            assert (await within(5, client.snapshot())).ticks == 0
            async with aclosing(client.log()) as stream:
                await within(5, anext(stream))
        async with ControlClient(plain.address, **own) as client:
            with pytest.raises(RefusedError, match="wants a token"):
                await within(5, client.snapshot())
        async with ControlClient(plain.address, "s3cret", tls_ca=own["tls_ca"]) as client:
            with pytest.raises(UnreachableError):
                await within(5, client.snapshot())
        with pytest.raises(UnreachableError):
            await within(5, plain.snapshot())
    trail.close()
    (line,) = read_audit(trail.path)
    assert (line.who, line.what) == ("certificate client", "KillSwitch")
    assert line.how.startswith("control API, ipv4:127.0.0.1:")


async def test_the_trail_names_the_sockets_owner_and_who_holds_the_token(tmp_path: Path) -> None:
    apis = ((ApiConfig(), None), (ApiConfig(listen="127.0.0.1:0", token="s3cret"), "s3cret"))
    for number, (api, token) in enumerate(apis):
        folder = tmp_path / str(number)
        async with served(live_engine(), folder, api, token) as (client, service):
            folder.mkdir(exist_ok=True)
            service.facts.audit = trail = AuditTrail(folder, pytest.fail)
            await client.kill("a drill")
            await client.snapshot()
        trail.close()
    lines = [line for each in "01" for line in read_audit(tmp_path / each / "audit.log")]
    assert [(line.who, line.how.partition(":")[0]) for line in lines] == [
        (getpwuid(getuid()).pw_name, "control API, private socket"),
        ("holder of api.token", "control API, ipv4"),
    ]


def test_a_missing_tls_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"--tls-ca: cannot read \"nowhere\.pem\": No such file"):
        ControlClient("127.0.0.1:1", tls_ca="nowhere.pem")
