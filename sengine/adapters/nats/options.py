"""How to log in to a NATS server: from the configuration to the options of ``nats.connect``."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sengine.adapters.nats.credentials import CredentialsFile, read_seed
from sengine.config.schema import NatsConfig
from sengine.errors import ConfigError

LOGIN_KEYS: Final = ("user", "token", "nkey_seed_file", "credentials_file")
_SCHEMES: Final = ("nats", "tls", "ws", "wss")


def server_urls(url: str) -> list[str]:
    """The addresses in ``nats.url``, which may be several with commas between them. Raises ``ConfigError``."""
    servers = [server.strip() for server in url.split(",")]
    mistakes = [
        f'nats.url: expected "embedded" or an address like nats://127.0.0.1:4222, got "{without_login(server)}"'
        for server in servers
        if not _is_address(server)
    ]
    if mistakes:
        raise ConfigError(mistakes)
    return servers


def without_login(url: str) -> str:
    """An address as it may be shown: without user, password and token."""
    scheme, separator, rest = url.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def connect_options(config: NatsConfig) -> dict[str, Any]:
    """Keyword arguments of ``nats.connect`` for user and password, token, nkey, credentials file and TLS.

    Raises ``ConfigError`` with every mistake: a file that cannot be read, half of a pair, two ways to log in.
    """
    mistakes: list[str] = []
    for key in ("nkey_seed_file", "credentials_file", "tls_ca", "tls_cert", "tls_key"):
        if path := getattr(config, key):
            mistakes += _unreadable(f"nats.{key}", path)
    if config.password and not config.user:
        mistakes.append('nats.user: expected the user of nats.password, found nothing; add "user" or drop "password"')
    if bool(config.tls_cert) != bool(config.tls_key):
        missing, given = ("tls_key", "tls_cert") if config.tls_cert else ("tls_cert", "tls_key")
        mistakes.append(f"nats.{missing}: expected the other half of nats.{given}, found nothing; give both or neither")
    seed, credentials = "", None
    if not mistakes:
        try:
            key = "nkey_seed_file"
            seed = read_seed(config.nkey_seed_file) if config.nkey_seed_file else ""
            key = "credentials_file"
            credentials = CredentialsFile(config.credentials_file) if config.credentials_file else None
        except (ValueError, OSError) as error:
            mistakes.append(f'nats.{key}: cannot log in with "{getattr(config, key)}": {error}; give another file')
    ways = [key for key in LOGIN_KEYS if getattr(config, key)]
    if len(ways) > 1:
        mistakes.append(f"nats: expected one way to log in, found {' and '.join(ways)}; keep one of them")
    if mistakes:
        raise ConfigError(mistakes)
    options: dict[str, Any] = {}
    if config.user:
        options.update(user=config.user, password=config.password)
    if config.token:
        options["token"] = config.token
    if config.nkey_seed_file:
        options["nkeys_seed_str"] = seed
    if credentials is not None:
        options.update(user_jwt_cb=credentials.token, signature_cb=credentials.sign)
    if config.tls_ca or config.tls_cert:
        options["tls"] = _tls(config)
    return options


def is_refusal(error: Exception) -> bool:
    """Whether the server turned us away at the login; nats-py has the server's words only."""
    return "authorization" in str(error).lower() or "authentication" in str(error).lower()


def trouble_in_words(error: Exception, config: NatsConfig) -> str:
    """What went wrong with a connection, and which key to look at; never the login itself."""
    text = str(error) or type(error).__name__
    if is_refusal(error):
        way = next((key for key in LOGIN_KEYS if getattr(config, key)), "")
        if way:
            return f"the NATS server refuses the login; correct nats.{way}" + " and nats.password" * (way == "user")
        if "@" in config.url:
            return "the NATS server refuses the login; correct the one in nats.url"
        return f"the NATS server refuses the login; set one of {', '.join(f'nats.{key}' for key in LOGIN_KEYS)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        what_to_do = "correct" if config.tls_ca else "set"
        return f"the NATS server's certificate is not trusted: {error.verify_message}; {what_to_do} nats.tls_ca"
    if isinstance(error, ssl.SSLError):
        if "CERTIFICATE_REQUIRED" in text:
            return "the NATS server wants a client's certificate; set nats.tls_cert and nats.tls_key"
        return f"TLS with the NATS server failed: {error.reason or text}; check the nats.tls_* keys"
    return "NATS: " + text


def _unreadable(key: str, path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            if file.read(1):
                return []
        problem = "the file is empty"
    except OSError as error:
        problem = error.strerror or str(error)
    return [f'{key}: expected a file that can be read, found "{path}": {problem}; correct the path or remove the key']


def _tls(config: NatsConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.tls_ca or None)
        if config.tls_cert:
            context.load_cert_chain(Path(config.tls_cert), Path(config.tls_key))
    except ssl.SSLError as error:
        raise ConfigError(
            [f"nats.tls_ca, tls_cert, tls_key: expected PEM files that belong together: {error.reason or error}"]
        ) from None
    return context
