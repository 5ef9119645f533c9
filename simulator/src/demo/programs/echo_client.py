"""Talks to the echo servers in its arguments (tcp/HOST/PORT, udp/HOST/PORT): three messages of different sizes to each, from a new socket."""
import json, os, socket, sys, time


def address(name):
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


for argument in sys.argv[1:]:
    protocol, host, port = argument.split("/")
    opened = time.monotonic()
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    client.settimeout(20)
    client.connect((host, int(port)))
    sent = received = 0
    for size in 1, 700, 1300:
        client.sendall(b"p" * size)
        sent += size
        while received < sent:
            data = client.recv(2048)
            if not data:
                sys.exit(f"{argument} closed the connection")
            received += len(data)
    flow = {"pid": os.getpid(), "program": "python3 echo client", "protocol": protocol, "role": "out", "sent": sent, "received": received,
            "local": address(client.getsockname()), "remote": address(client.getpeername()), "opened": opened}
    client.close()
    print(json.dumps({"flow": flow | {"closed": time.monotonic()}}), flush=True)
