"""An echo server on TCP and UDP, IPv4 and IPv6 loopback. One process opens the sockets, its child serves them: the opener owns the flows."""
import json, os, select, socket, sys, time

OWNER = os.getpid()


def address(name):
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def tell(message):
    print(json.dumps(message), flush=True)


def new_flow(protocol, local, remote):
    return {"pid": OWNER, "program": "python3 echo server", "protocol": protocol, "role": "in", "local": address(local),
            "remote": address(remote), "sent": 0, "received": 0, "opened": time.monotonic()}


ports, listeners, sockets = {}, [], []
for family, name, host in (socket.AF_INET, "4", "127.0.0.1"), (socket.AF_INET6, "6", "::1"):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((host, 0))
    listener.listen(32)
    listeners.append(listener)
    ports["tcp" + name] = listener.getsockname()[1]
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.bind((host, 0))
    sockets.append(datagrams)
    ports["udp" + name] = datagrams.getsockname()[1]

child = os.fork()
if child:
    for opened in listeners + sockets:
        opened.close()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

tell({"ready": ports})
streams, talks = {}, {}
while True:
    readable = select.select([sys.stdin, *listeners, *sockets, *streams], [], [])[0]
    for source in readable:
        if source in listeners:
            stream, remote = source.accept()
            streams[stream] = new_flow("tcp", stream.getsockname(), remote)
        elif source in sockets:
            data, remote = source.recvfrom(65536)
            talk = talks.get((source, remote))
            if talk is None:
                talk = talks[source, remote] = new_flow("udp", source.getsockname(), remote)
                talk["first"] = len(data)
            talk["received"] += len(data)
            talk["sent"] += source.sendto(data, remote)
        elif source in streams:
            try:
                data = source.recv(65536)
            except ConnectionResetError:  # by whoever gives up its port at once
                data = b""
            flow = streams[source]
            flow["received"] += len(data)
            flow["sent"] += len(data)
            if data:
                source.sendall(data)
            else:
                source.close()
                del streams[source]
                tell({"flow": flow | {"closed": time.monotonic()}})
    if sys.stdin in readable and not streams:
        break
for talk in talks.values():
    tell({"flow": talk | {"closed": time.monotonic()}})
