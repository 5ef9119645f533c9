"""An HTTP server for curl, on IPv4 and IPv6 loopback, that counts the bytes of each connection."""
import http.server, json, os, socket, socketserver, sys, threading, time

OWNER = os.getpid()
LOCK = threading.Lock()


def address(name):
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def tell(message):
    with LOCK:
        print(json.dumps(message), flush=True)


class CountingSocket(socket.socket):
    sent = received = 0

    def recv_into(self, *arguments):
        length = super().recv_into(*arguments)
        self.received += length
        return length

    def sendall(self, data, *arguments):
        self.sent += len(data)
        return super().sendall(data, *arguments)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):  # HTTPServer would ask DNS for our name
    daemon_threads = False

    def get_request(self):
        connection, remote = self.socket.accept()
        connection_name = address(connection.getsockname())
        counting = CountingSocket(fileno=connection.detach())
        counting.settimeout(20)
        counting.opened, counting.local, counting.remote = time.monotonic(), connection_name, address(remote)
        return counting, remote

    def shutdown_request(self, connection):
        connection.close()
        tell({"flow": {"pid": OWNER, "program": "python3 http server", "protocol": "tcp", "role": "in",
                       "local": connection.local, "remote": connection.remote,
                       "sent": connection.sent, "received": connection.received,
                       "opened": connection.opened, "closed": time.monotonic()}})


class Server6(Server):
    address_family = socket.AF_INET6


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # the path is the number of bytes wanted
        size = int(self.path[1:])
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"h" * size)

    def log_message(self, *arguments):
        pass


servers = {"tcp4": Server(("127.0.0.1", 0), Handler), "tcp6": Server6(("::1", 0), Handler)}
for server in servers.values():
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
tell({"ready": {name: server.server_address[1] for name, server in servers.items()}})
sys.stdin.read()
for server in servers.values():
    server.shutdown()
    server.server_close()  # waits for the connections' threads, and so for their reports
