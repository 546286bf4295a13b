"""TLS of a client whose files were named on the command line; gRPC itself says nothing of use about bad ones."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from sengine.errors import ConfigError

_File = str | Path | None


def client_credentials(ca: _File, cert: _File, key: _File) -> grpc.ChannelCredentials:
    """Credentials from PEM files. Raises ``ConfigError`` naming the file that is missing or no good."""
    if (cert is None) != (key is None):
        given, missing = ("--tls-cert", "--tls-key") if key is None else ("--tls-key", "--tls-cert")
        raise ConfigError([f"{given} {cert or key}: give {missing} too, the other half of it"])
    contents = [_read(file) for file in (ca, key, cert)]
    # gRPC would only say that it cannot connect.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca is not None:
            context.load_verify_locations(Path(ca).expanduser())
    except ssl.SSLError as error:
        raise ConfigError([f"--tls-ca {ca}: expected certificates as PEM: {error.reason or error}"]) from error
    try:
        if cert is not None and key is not None:
            context.load_cert_chain(Path(cert).expanduser(), Path(key).expanduser())
    except ssl.SSLError as error:
        raise ConfigError(
            [f"--tls-cert {cert}, --tls-key {key}: expected a certificate and its key as PEM: {error.reason or error}"]
        ) from error
    return grpc.ssl_channel_credentials(*contents)


def _read(file: _File) -> bytes | None:
    if file is None:
        return None
    try:
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from error
