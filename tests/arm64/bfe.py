"""The filter engine's service, its state, and who hears of it: FwpmBfeState*, after their pages in Microsoft's driver
reference. One subscription. The callback runs at PASSIVE_LEVEL, as microsoft/Windows-driver-samples annotates its own
(network/trans/WFPSampler/sys/SubscriptionFunctions_BFEState.cpp).
"""

from facts import number
from kmdf import DEVICE_OBJECT
from machine import require

# FWPM_SERVICE_STATE, fwpmtypes.h.
STOPPED, START_PENDING, STOP_PENDING, RUNNING = range(4)
SUBSCRIPTION = 0x7008
PASSIVE = number("PASSIVE_LEVEL")


class Service:
    def __init__(self, machine):
        self.machine = machine
        self.state = RUNNING
        self.subscription = None  # callback and context
        self.telling = False  # whether the callback runs

    def exports(self):
        return {
            "FwpmBfeStateGet0": self.get,
            "FwpmBfeStateSubscribeChanges0": self.subscribe,
            "FwpmBfeStateUnsubscribeChanges0": self.unsubscribe,
        }

    def left_behind(self):
        return ["the subscription to the filter engine's state"] if self.subscription else []

    def get(self):
        require(self.subscription, "FwpmBfeStateGet0 without a subscription, which must come first")
        return self.state

    def subscribe(self, device_object, callback, context, handle):
        image = self.machine.image
        require(device_object == DEVICE_OBJECT, "FwpmBfeStateSubscribeChanges0 for a device that is not there")
        require(image.start <= callback < image.end, f"a state change callback at {callback:#x}, outside of the image")
        require(not self.subscription, "a second subscription is not modelled here")
        self.subscription = callback, context
        self.machine.put(handle, SUBSCRIPTION)
        return number("STATUS_SUCCESS")

    def unsubscribe(self, handle):
        require(not self.telling, "FwpmBfeStateUnsubscribeChanges0 inside the callback, which may deadlock")
        require(
            self.subscription and handle == SUBSCRIPTION,
            f"FwpmBfeStateUnsubscribeChanges0 with {handle:#x}, which is no subscription",
        )
        self.subscription = None
        return number("STATUS_SUCCESS")

    def reach(self, state):
        """Goes to a state, and says so."""
        self.state = state
        if self.subscription:
            callback, context = self.subscription
            self.telling = True
            self.machine.call(callback, context, state, irql=PASSIVE)
            self.telling = False
