"""Opens sockets and exits; a child has them from then on, and whatever it does with them is still the flow of who made them.
Arguments: a TCP server and two UDP servers, as HOST/PORT, of which the second is for the first round that is asked for."""
import json, os, socket, sys, time

OWNER = os.getpid()


def address(name):
    return f"{name[0]}:{name[1]}"


def round_of(flow):
    message = b"i" * 200
    if flow["protocol"] == "tcp":
        stream.sendall(message)
    else:
        datagrams.sendto(message, flow["to"])
    flow["sent"] += len(message)
    while flow["received"] < flow["sent"]:
        data = stream.recv(4096) if flow["protocol"] == "tcp" else datagrams.recv(4096)
        if not data:
            sys.exit("the server closed the connection")
        flow["received"] += len(data)


def new_flow(protocol, source, to):
    flow = {"pid": OWNER, "program": "python3 heir", "protocol": protocol, "role": "out", "sent": 0, "received": 0,
            "local": address(source.getsockname()), "remote": address(to), "to": to, "opened": time.monotonic()}
    flows.append(flow)
    return flow


tcp, udp, later = [(host, int(port)) for host, port in (argument.split("/") for argument in sys.argv[1:])]
flows = []
stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 0))
for source in stream, datagrams:
    source.settimeout(20)
opened = time.monotonic()
stream.connect(tcp)
new_flow("tcp", stream, tcp)["opened"] = opened
new_flow("udp", datagrams, udp)
for flow in flows:
    round_of(flow)

if os.fork():
    os._exit(0)
os.setpgid(0, 0)  # an id is not free as long as a process group has it
while os.getppid() == OWNER:
    time.sleep(0.001)
print(json.dumps({"ready": {}}), flush=True)
for line in sys.stdin:
    if later:
        new_flow("udp", datagrams, later)
        later = None
    for flow in flows:
        round_of(flow)
    print(json.dumps("idle"), flush=True)
stream.close()
datagrams.close()
for flow in flows:
    del flow["to"]
    print(json.dumps({"flow": flow | {"closed": time.monotonic()}}), flush=True)
