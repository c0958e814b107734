"""python container_health.py HOST:PORT [PART]...: asks /healthz, for the health checks of containers.

It runs in each container every minute or more often, so it imports nothing that takes time to load: no Django
and no HTTP client. Any answer will do for the process that is asked; each PART has to be "ok" in it.
"""

from __future__ import annotations

import json
import socket
import sys

# Less than the 10 s after which docker gives up a check, and more than /healthz takes if all else hangs.
SECONDS = 9


def fetch_parts(address: str) -> dict[str, str]:
    """Return the state of each part, whatever the status is. Raise OSError or ValueError without JSON."""
    host, _colon, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as link:
        link.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    return dict(json.loads(answer.partition(b"\r\n\r\n")[2]).get("parts", {}))


def main(address: str, *parts: str) -> int:
    try:
        states = fetch_parts(address)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{address} does not answer: {error}\n")
        return 1
    broken = [f"{part} is {states.get(part, 'unknown')}" for part in parts if states.get(part) != "ok"]
    sys.stderr.write("".join(f"{sentence}\n" for sentence in broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
