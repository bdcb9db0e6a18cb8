"""Usage: load.py PORT. Send orders and reports to the demo's service until told to end."""

import http.client
import itertools
import sys
import threading
import time

_CLIENTS = 3
_PAUSE_S = 0.05
_REQUESTS = (
    ("POST", "/orders?item=tea&quantity=2"),
    ("POST", "/orders?item=coffee"),
    ("GET", "/report"),
    ("POST", "/orders?item=cocoa&quantity=5"),
)


def send_requests(port: int) -> None:
    """Be one customer, with a new connection each time: both workers get their share."""
    for method, path in itertools.cycle(_REQUESTS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(method, path)
            connection.getresponse().read()
        except OSError:
            # The service has ended; the demo is about to end this program, too.
            return
        finally:
            connection.close()
        time.sleep(_PAUSE_S)


def main() -> None:
    """Run the customers side by side."""
    port = int(sys.argv[1])
    clients = [threading.Thread(target=send_requests, args=(port,)) for _ in range(_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


if __name__ == "__main__":
    main()
