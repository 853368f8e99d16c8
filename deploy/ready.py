"""What a container engine asks in the image: exit status 0 if this process is ready.

`ready` reads /readyz, `ready PATH` another path, on the port of RESAPERMIS_METRICS_LISTEN and prints the answer; `ready PORT`
is content with a connection, for what has no /readyz. Sockets alone: it starts every few seconds, in every container.
"""

import os
import socket
import sys

SECONDS = 4.0


def main() -> int:
    """Ask, print, and return the exit status."""
    asked = sys.argv[1] if len(sys.argv) > 1 else "/readyz"
    port = int(asked if asked.isdecimal() else os.environ["RESAPERMIS_METRICS_LISTEN"].rpartition(":")[2])
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            if asked.isdecimal():
                return 0
            connection.sendall(f"GET {asked} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError as reason:
        print(f"port {port}: {type(reason).__name__}")
        return 1
    head, _, body = answer.partition(b"\r\n\r\n")
    print(body.decode("utf-8", "replace").strip())
    return int(head.split(b" ", 2)[1:2] != [b"200"])


if __name__ == "__main__":
    sys.exit(main())
