"""Starts and stops flowtag.sys in speakeasy, an emulator of others for Windows drivers.

python3 check.py flowtag.sys

README.md beside this file says what is speakeasy's and what is ours. For each case a line of JSON is printed: its name, and
what in it is not as it should be.
"""

import faulthandler
import json
import sys
import types
from pathlib import Path

LONGEST = 60  # seconds; it takes one

# For RtlDecompressBuffer only, and published as source only.
sys.modules["lznt1"] = types.ModuleType("lznt1")
# Brings distutils, which unicorn 1.0.2 imports and Python has no longer had since 3.12.
import setuptools  # noqa: E402, F401
import speakeasy  # noqa: E402
import speakeasy.winenv.defs.registry.reg as reg  # noqa: E402

import expected  # noqa: E402
import facts  # noqa: E402
from kernel import Kernel  # noqa: E402
from kmdf import Kmdf  # noqa: E402
from processes import PROGRAM, SYSTEM  # noqa: E402
from wfp import RUNNING, START_PENDING, STOP_PENDING, STOPPED, Wfp  # noqa: E402


class Checks:
    """What was found to be wrong, case by case."""

    def __init__(self):
        self.failed = {}
        self.case = None

    def begin(self, case):
        self.case = case
        self.failed[case] = []

    def equal(self, what, found, wanted):
        if found != wanted:
            self.failed[self.case].append(f"{what} is {shown(found)}, and should be {shown(wanted)}")


def shown(value):
    return f"{value:#x}" if isinstance(value, int) and not isinstance(value, bool) else repr(value)


class Host:
    """The driver in the emulator, with our additions."""

    def __init__(self, image):
        self.speakeasy = speakeasy.Speakeasy()
        self.module = self.speakeasy.load_module(str(image))
        self.emu = self.speakeasy.emu
        self.kernel, self.kmdf, self.wfp = Kernel(self.emu), Kmdf(self.emu), Wfp(self.emu)
        self.emu.api.mods.update({"ntoskrnl": self.kernel, "wdfldr": self.kmdf, "fwpkclnt": self.wfp})
        service = rf"\Registry\Machine\System\CurrentControlSet\Services\{Path(image).stem}"
        parameters = self.emu.reg_create_key(service + r"\Parameters")
        for name, number in expected.SETTINGS.items():
            parameters.create_value(name, reg.REG_DWORD, number)

    def start(self):
        """Runs the image's entry point as speakeasy means it. Gives what it answered."""
        self.speakeasy.run_module(self.module)
        return self.emu.runs[-1]

    def driver_object(self):
        driver = next(driver for driver in self.emu.drivers if driver.pe is self.module)
        driver.read_back()
        return driver

    def restart_engine(self):
        """The filter engine stops, which takes its objects along, and starts, and tells who has subscribed. Gives what ran."""
        runs = []
        for state in (STOP_PENDING, STOPPED, START_PENDING, RUNNING):
            self.wfp.state = state
            if state == STOPPED:
                self.wfp.remove_objects()
            for _, callback, context in list(self.wfp.subscriptions.values()):
                self.speakeasy.call(callback, [context, state])
                runs.append(self.emu.runs[-1])
        return runs

    def tell_of_processes(self):
        """A program begins, and exits, and so does one that the driver has not heard of. Gives what ran."""
        info = self.kernel.mem_alloc(facts.size("PS_CREATE_NOTIFY_INFO"), tag="test.create_info")
        self.kernel.mem_write(info, bytes(facts.size("PS_CREATE_NOTIFY_INFO")))
        runs = []
        for process, pid, told in ((PROGRAM, 4242, info), (PROGRAM, 4242, 0), (SYSTEM, 4, 0)):
            self.speakeasy.call(self.kernel.routine, [process, pid, told])
            runs.append(self.emu.runs[-1])
        return runs

    def stop(self):
        driver = self.driver_object()
        self.speakeasy.call(driver.on_unload, [driver.address])
        return self.emu.runs[-1]

    def is_code(self, address):
        text = next(section for section in self.module.sections if section.Name.rstrip(b"\0") == b".text")
        start = self.module.base + text.VirtualAddress
        return start <= address < start + text.Misc_VirtualSize


def check_run(checks, run):
    """It has ended by itself."""
    names = ("api_name", "type", "pc", "address", "instr")
    checks.equal("what stopped it", {name: run.error[name] for name in names if name in run.error}, {})


def check_table(checks, host):
    """Each function that speakeasy names lies in its table where our facts have it."""
    table = host.kmdf.func_table.get_cstruct()
    for name, _ in table._fields_:
        if name.startswith("pfn"):
            index = getattr(table, name).offset // 8
            checks.equal(f"where {name} lies", facts.index_of_wdf_function(name.removeprefix("pfn")), index)


def check_device(checks, host):
    """One control device, as KMDF makes it, and every callout registered for it."""
    devices = list(host.kmdf.wdf_devices.values())
    checks.equal("the number of devices", len(devices), 1)
    for device in devices:
        checks.equal("its type", device.device_object.DeviceType, expected.FILE_DEVICE_NETWORK)
        checks.equal("its characteristics", device.device_object.Characteristics, expected.CHARACTERISTICS)
        checks.equal("its flags", device.device_object.Flags, 0)
        checks.equal("whom the callouts are registered for", host.wfp.device_objects, [device.device_object_addr] * 8)
    checks.equal("its security", [init.sddl for init in host.kmdf.created], [expected.SDDL_DEVOBJ_KERNEL_ONLY])
    checks.equal("open registry keys", host.kmdf.keys, set())


def check_provider(checks, host):
    wanted = {"key": expected.PROVIDER, "name": expected.PROVIDER_NAME, "flags": 0, "service": 0}
    checks.equal("the provider", host.wfp.by_headers["providers"], [wanted])


def check_sublayer(checks, host):
    by_speakeasy = [(key, layer["name"]) for key, layer in host.wfp.sublayers.items()]
    checks.equal("the sublayer, as speakeasy sees it", by_speakeasy, [(expected.SUBLAYER, expected.SUBLAYER_NAME)])
    wanted = {"key": expected.SUBLAYER, "name": expected.SUBLAYER_NAME, "flags": 0, "provider": expected.PROVIDER}
    wanted["weight"] = expected.SUBLAYER_WEIGHT
    checks.equal("the sublayer", host.wfp.by_headers["sublayers"], [wanted])


def check_callouts(checks, host):
    """What was registered, by speakeasy's structures, and what was added, by both."""
    registered = {callout["key"]: callout for callout in host.wfp.callouts.values()}
    checks.equal("the callouts registered", list(registered), [callout.key for callout in reversed(expected.CALLOUTS)])
    for callout in expected.CALLOUTS:
        found = registered.get(callout.key, {})
        flags = expected.TRANSPORT_FLAGS if callout.transport else expected.AUTHORIZE_FLAGS
        checks.equal(f"the flags of {callout.name}", found.get("flags"), flags)
        checks.equal(f"the name speakeasy has for {callout.key}", found.get("name"), callout.name)
        for function in ("classify_fn", "notify_fn"):
            checks.equal(f"{function} of {callout.name} in .text", host.is_code(found.get(function, 0)), True)
        delete = found.get("delete_fn", 0)
        checks.equal(f"a delete_fn in .text of {callout.name}", host.is_code(delete), callout.transport)
        checks.equal(f"no delete_fn of {callout.name}", delete == 0, not callout.transport)
    wanted = [
        {"key": callout.key, "name": callout.name, "flags": 0, "provider": expected.PROVIDER, "layer": facts.layer(callout.layer)}
        for callout in expected.CALLOUTS
    ]
    check_list(checks, "callout", host.wfp.by_headers["callouts"], wanted)

    # Two classify functions, one for each role; one of each of the others.
    of_role = lambda function, transport: {
        registered[callout.key][function]
        for callout in expected.CALLOUTS
        if callout.transport == transport and callout.key in registered
    }
    checks.equal("classify functions that authorize", len(of_role("classify_fn", False)), 1)
    checks.equal("classify functions at transport", len(of_role("classify_fn", True)), 1)
    checks.equal("what both roles share", of_role("classify_fn", False) & of_role("classify_fn", True), set())
    checks.equal("delete functions", len(of_role("delete_fn", True)), 1)


def check_filters(checks, host):
    by_speakeasy = [found["name"] for found in host.wfp.filters.values()]
    checks.equal("the filters, as speakeasy sees them", by_speakeasy, [callout.name for callout in expected.CALLOUTS])
    wanted = [
        {
            "key": callout.filter,
            "name": callout.name,
            "flags": 0,
            "provider": expected.PROVIDER,
            "layer": facts.layer(callout.layer),
            "sublayer": expected.SUBLAYER,
            "weight": expected.FWP_EMPTY,
            "conditions": 0,
            "action": expected.FWP_ACTION_CALLOUT_INSPECTION,
            "callout": callout.key,
        }
        for callout in expected.CALLOUTS
    ]
    check_list(checks, "filter", host.wfp.by_headers["filters"], wanted)


def check_list(checks, kind, found, wanted):
    """Each member of each object, in the order in which they were added."""
    checks.equal(f"the number of {kind}s added", len(found), len(wanted))
    for found_object, wanted_object in zip(found, wanted):
        for member, value in wanted_object.items():
            checks.equal(f"{member} of the {kind} {wanted_object['name']}", found_object[member], value)


def check_subscription(checks, host):
    """One to the engine's state, for the device and with the driver's code."""
    subscriptions = list(host.wfp.subscriptions.values())
    checks.equal("the number of subscriptions", len(subscriptions), 1)
    devices = [device.device_object_addr for device in host.kmdf.wdf_devices.values()]
    for device_object, callback, _ in subscriptions:
        checks.equal("whom it is for", [device_object], devices)
        checks.equal("its callback in .text", host.is_code(callback), True)


def check_engine(checks, host):
    """One session without flags, which is closed; one transaction, which is committed last."""
    wanted = (expected.RPC_C_AUTHN_WINNT, 0)
    checks.equal("the sessions", list(host.wfp.session_flags.values()), [wanted])
    steps = ["begin", "provider", "sublayer"] + ["callout"] * 8 + ["filter"] * 8 + ["commit"]
    checks.equal("what was done in the engine", host.wfp.steps, steps)
    checks.equal("sessions that are open", len(host.wfp.sessions), 0)


def check_restart(checks, host):
    """The driver says that it waits, and adds everything once more, in another session."""
    host.wfp.steps.clear()
    host.wfp.session_flags.clear()
    before = len(host.kernel.lines)
    for run in host.restart_engine():
        check_run(checks, run)
    checks.equal("the lines that say so", host.kernel.lines[before:], [expected.WAITING, expected.ADDED])
    for look in (check_device, check_subscription, check_engine, check_provider, check_sublayer, check_callouts, check_filters):
        look(checks, host)


def check_processes(checks, host):
    """A routine of the driver's is registered, and can be called."""
    checks.equal("the process notify routine in .text", host.is_code(host.kernel.routine), True)
    before = len(host.kernel.lines)
    for run in host.tell_of_processes():
        check_run(checks, run)
    checks.equal("lines about that", host.kernel.lines[before:], [])


def check_nothing_left(checks, host):
    """After unload, and after a start that failed."""
    kmdf, kernel, wfp = host.kmdf, host.kernel, host.wfp
    checks.equal("subscriptions left", len(wfp.subscriptions), 0)
    checks.equal("process notify routines left", host.kernel.routine, 0)
    checks.equal("references to processes and handles left", (kernel.references, len(kernel.handles)), (0, 0))
    checks.equal("sessions left", len(wfp.sessions), 0)
    checks.equal("callouts left", len(wfp.callouts), 0)
    checks.equal("sublayers and filters left", (len(wfp.sublayers), len(wfp.filters)), (0, 0))
    checks.equal("objects left", {kind: objects for kind, objects in wfp.by_headers.items() if objects}, {})
    checks.equal("devices left", len(kmdf.wdf_devices), 0)
    checks.equal("device inits left", len(kmdf.inits), 0)
    checks.equal("registry keys left", len(kmdf.keys), 0)
    checks.equal("bound to KMDF", kmdf.bound, False)
    checks.equal("pool left", list(map(hex, kernel.pool)), [])
    blocks = [block for block in host.emu.get_mem_maps() if "api.pool." in (block.tag or "") and not block.free]
    checks.equal("pool left, as speakeasy sees it", [block.tag for block in blocks], [])
    checks.equal("IRQL", host.emu.get_current_irql(), 0)


def check(image):
    checks = Checks()
    host = Host(image)
    checks.begin("the table of functions")
    check_table(checks, host)
    checks.begin("start")
    run = host.start()
    check_run(checks, run)
    # None, if it has not returned.
    status = None if run.ret_val is None else run.ret_val & 0xFFFF_FFFF
    checks.equal("what DriverEntry answers", status, 0)
    if status == 0:
        checks.equal("the line that says so", host.kernel.lines[-1:], [expected.LOADED])
        checks.equal("the pool is in use", bool(host.kernel.pool), True)
        seen = {"device": check_device, "subscription": check_subscription, "engine": check_engine}
        seen |= {"provider": check_provider, "sublayer": check_sublayer}
        seen |= {"callouts": check_callouts, "filters": check_filters}
        for case, look in seen.items():
            checks.begin(case)
            look(checks, host)
        checks.begin("a filter engine that stops and starts")
        check_restart(checks, host)
        checks.begin("processes")
        check_processes(checks, host)
        checks.begin("stop")
        check_run(checks, host.stop())
    else:
        checks.begin("a start that fails leaves nothing")
    check_nothing_left(checks, host)
    if any(checks.failed.values()):
        print("The driver printed:", *host.kernel.lines, sep="\n  ", file=sys.stderr)
    return checks


def main():
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    for case, failed in check(sys.argv[1]).failed.items():
        print(json.dumps({"case": case, "failed": failed}))


if __name__ == "__main__":
    main()
