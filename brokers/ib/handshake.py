"""What a gateway says of itself before anybody logs in: its true version.

The client libraries ask for at most 176 or 178 and are told just that. Asked for anything, a
gateway names the newest version it speaks, which tells its release.
"""

import socket
import struct

from errors import BrokerError, GatewayUnreachableError

GATEWAY_10_50 = 226
"""What release 10.50 speaks: MAX_CLIENT_VER of the official API, in server_versions.py of its
Python client, is 223 in 10.45.1, 225 from 10.46.1 to 10.49.2, 226 in 10.50.2 and 10.51.1. That a
gateway speaks what the API of its release does is IB's practice, not its promise."""

_HELLO = b"API\0"
_RANGE = b"v100..9999"
_LONGEST = 1024


def server_version_of(host: str, port: int, seconds: float = 5.0) -> int:
    """The newest version a gateway speaks; the connection ends before a login.

    Raises `GatewayUnreachableError` where nothing listens, `BrokerError` for what is no gateway.
    """
    place = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=seconds) as line:
            line.sendall(_HELLO + struct.pack(">I", len(_RANGE)) + _RANGE)
            (length,) = struct.unpack(">I", _exactly(line, 4))
            if length > _LONGEST:
                raise BrokerError(f"{place} is no TWS or IB Gateway")
            return int(_exactly(line, length).split(b"\0")[0])
    except (ConnectionRefusedError, TimeoutError, socket.gaierror) as error:
        raise GatewayUnreachableError(f"nothing answers at {place}: {error}") from error
    except (OSError, ValueError) as error:
        raise BrokerError(f"{place} does not greet like TWS or IB Gateway: {error}") from error


def _exactly(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = line.recv(count - len(data))
        if not more:
            raise ConnectionError("it closed the connection")
        data += more
    return data
