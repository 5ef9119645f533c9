"""Reads a script; tests/hosts/README.md says what each line means."""

import ipaddress
from dataclasses import dataclass

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
# Bytes of the transport header in front of a payload; of ICMP everything is payload.
HEADERS = {6: 20, 17: 8}


@dataclass
class Connection:
    """Who opens a flow, and between which endpoints."""

    outbound: bool
    protocol: int
    local: tuple
    remote: tuple
    pid: int
    path: str | None

    @property
    def family(self):
        return f"V{self.local[0].version}"

    @property
    def header(self):
        return HEADERS.get(self.protocol, 0)


def number(text):
    return int(text, 0)


def endpoint(text):
    address, port = text.rsplit(":", 1)
    return ipaddress.ip_address(address.strip("[]")), int(port)


def connection(verb, protocol, local, remote, pid, path):
    return Connection(verb == "connect", PROTOCOLS[protocol], endpoint(local), endpoint(remote), int(pid), path)


def read(path):
    """The lines with their numbers: (number, verb, arguments)."""
    with open(path, encoding="utf-8") as file:
        for index, line in enumerate(file, 1):
            line = line.strip()
            if line and not line.startswith("#"):
                # A path may have spaces in it, and goes on to the end of the line.
                verb, *words = line.split(" ", 6)
                yield index, verb, words
