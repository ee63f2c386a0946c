"""An AWS of one's own: moto on a port of loopback that the system gives, until standard input ends.

Prints the port once it listens. What moto imitates by Docker or by calling others is answered by itself: no
connection leaves this machine.
"""

import socket
import sys
import threading

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server


def stays_here(connect):
    """`connect`, for addresses of this machine only."""

    def connected(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise ConnectionRefusedError(f"{address} is not this machine")
        return connect(self, address)

    return connected


class Requests(MotoRequestHandler):
    """Writes down neither addresses nor dates."""

    def log(self, type, message, *args):
        print(type, message % args, file=sys.stderr, flush=True)


def main():
    socket.socket.connect = stays_here(socket.socket.connect)
    default_user_config["batch"]["use_docker"] = False
    default_user_config["lambda"]["use_docker"] = False
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    application = DomainDispatcherApplication(create_backend_app)
    application.debug = True
    server = make_server(
        *listener.getsockname(), application, threaded=True, request_handler=Requests, fd=listener.fileno()
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


main()
