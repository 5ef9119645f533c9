"""Acts a script out with the ARM64 image. Prints the driver's lines; exit 0 when everything went as the script says.

usage: act.py IMAGE SCRIPT [folded]
With "folded", associating with a flow that has a context already answers STATUS_SUCCESS and keeps the old one.
"""

import sys

import script
from facts import number
from host import Host
from machine import BugCheck, require
from traffic import Flow

REAUTHORIZE = number("FWP_CONDITION_FLAG_IS_REAUTHORIZE")
FIRST_HANDLE, BETWEEN_HANDLES = 0x2A1, 2


class Stage:
    def __init__(self, host):
        self.host = host
        self.flows = {}

    def act(self, verb, words):
        host, traffic = self.host, self.host.traffic
        match verb, words:
            case "setting", [name, value]:
                host.kmdf.settings[name] = script.number(value)
            case "start", expected:
                expected = script.number(expected[0]) if expected else 0
                status = host.start()
                require(status == expected, f"DriverEntry answers {status:#010x}, not {expected:#010x}")
                require(not host.machine.failing, f"the start did not come to {host.machine.failing}")
            case "stop", []:
                host.stop()
            case "connect" | "accept", [name, *rest]:
                handle = FIRST_HANDLE + BETWEEN_HANDLES * len(self.flows)
                self.flows[name] = Flow(handle, script.connection(verb, *rest))
                host.engine.flows.add(handle)
                traffic.authorize(self.flows[name])
            case "send" | "receive", [name, payload]:
                traffic.packet(self.flows[name], verb == "send", script.number(payload))
            case "reauthorize", [name]:
                traffic.authorize(self.flows[name], REAUTHORIZE)
            case "again", [name]:
                traffic.authorize(self.flows[name])
            case "bfe", ["stop"]:
                host.engine.stop()
            case "bfe", ["start"]:
                host.engine.start()
            case "begin", [pid, parent, *path]:
                host.processes.begin(script.number(pid), script.number(parent), " ".join(path))
            case "exit", [pid]:
                host.processes.exit(script.number(pid))
            case "end", [name]:
                traffic.end(self.flows[name])
            case "fail", [name, status]:
                host.machine.failing.append((name, 0 if status == "null" else script.number(status)))
            case _:
                raise BugCheck("no line looks like this; tests/hosts/README.md has them all")


def main(image, path, *words):
    stage = Stage(Host(image, folded="folded" in words))
    problem = None
    for index, verb, arguments in script.read(path):
        try:
            stage.act(verb, arguments)
        except BugCheck as error:
            problem = f"line {index} of {path}: {error}"
            break
    print(*stage.host.lines(), sep="\n")
    if problem:
        sys.exit(problem)


if __name__ == "__main__":
    main(*sys.argv[1:])
