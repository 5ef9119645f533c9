"""Counts instructions of the ARM64 image, for what bench/src/operations.rs counts on the x64 image under the same names.

usage: count.py IMAGE. Prints a line for each: its name and the number. All callouts run at PASSIVE_LEVEL, where the driver
has to raise the IRQL for itself; what imports execute is not counted.
"""

import sys

import script
from host import Host
from traffic import Flow

# As bench/src/subject.rs has it, without a path.
CONNECTION = ["connect", "tcp", "10.0.0.5:50123", "93.184.216.34:443", "4242", None]


class Subject:
    """A started driver, and flows of it."""

    def __init__(self, image, trace_level):
        self.host = Host(image)
        self.host.kmdf.settings |= {"TraceLevel": trace_level, "MaxFlows": 16}
        self.host.traffic.take_turns = False
        if status := self.host.start():
            sys.exit(f"DriverEntry answers {status:#010x}")

    def open(self, handle):
        flow = Flow(handle, script.connection(*CONNECTION))
        self.host.engine.flows.add(handle)
        self.host.traffic.authorize(flow)
        return flow

    def live(self, handle):
        self.host.traffic.end(self.open(handle))

    def count(self, action):
        return self.host.machine.count(action)


def transport(image):
    """One packet after the first of a flow."""
    subject = Subject(image, 2)
    flow = subject.open(1)

    def send():
        if subject.host.traffic.packet(flow, True, 1000) != 1:
            sys.exit("no callout saw the packet")

    send()
    counted = subject.count(send)
    subject.host.stop()
    return counted


def flow_life(image):
    """One life of a flow, when another was before: its authorization and its end."""
    subject = Subject(image, 0)
    subject.live(1)
    counted = subject.count(lambda: subject.live(2))
    subject.host.stop()
    return counted


if __name__ == "__main__":
    for operation in (transport, flow_life):
        print(operation.__name__, operation(sys.argv[1]))
