"""Talks to echo servers (tcp/PORT, udp/PORT) on IPv4 loopback from a port that others have before and after it. The first argument is
the port; with 0 the system chooses one. It talks when a line comes, and has given up the port when it says that it is idle."""
import json, os, socket, struct, sys, time

HOST = "127.0.0.1"
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def bound(kind, port):
    source = socket.socket(socket.AF_INET, kind)
    source.settimeout(20)
    if kind == socket.SOCK_STREAM:  # closed by a reset: no connection waits for what may still be under way
        source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    source.bind((HOST, port))
    return source


port, message = int(sys.argv[1]), b"a" * 50
held = {}
if not port:
    held["tcp"] = bound(KINDS["tcp"], 0)
    port = held["tcp"].getsockname()[1]
    held["udp"] = bound(KINDS["udp"], port)
print(json.dumps({"ready": {"port": port}}), flush=True)
for line in sys.stdin:
    flows = []
    for argument in sys.argv[2:]:
        protocol, to = argument.split("/")
        opened = time.monotonic()
        source = held.pop(protocol, None) or bound(KINDS[protocol], port)
        source.connect((HOST, int(to)))
        source.sendall(message)
        received = 0
        while received < len(message):
            data = source.recv(2048)
            if not data:
                sys.exit("the server closed the connection")
            received += len(data)
        source.close()
        flows.append({"pid": os.getpid(), "program": "python3 again", "protocol": protocol, "role": "out", "sent": len(message),
                      "received": received, "local": f"{HOST}:{port}", "remote": f"{HOST}:{to}", "opened": opened,
                      "closed": time.monotonic()})
    for flow in flows:
        print(json.dumps({"flow": flow}), flush=True)
    print(json.dumps("idle"), flush=True)
