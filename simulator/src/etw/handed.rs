//! Where what an enable callback is told comes from.

use crate::computer::{
    Handed,
    handed::{cited, guessed},
};

const OF: &str = "EnableCallback";

pub(super) const HANDED: &[Handed] = &[
    guessed(OF, "SourceId", "GUID_NULL", "no session says who it is: SDK PENABLECALLBACK has that as one of the cases"),
    cited(
        OF,
        "ControlCode",
        "0, 1 or 2",
        "evntprov.h, PENABLECALLBACK: nobody listens, somebody does, its state is wanted",
    ),
    cited(
        OF,
        "Level",
        "the highest of all sessions",
        "evntprov.h, PENABLECALLBACK; one build, EtwpComputeRegEntryEnableInfo",
    ),
    cited(
        OF,
        "MatchAnyKeyword",
        "those of all sessions",
        "one build, EtwpComputeRegEntryEnableInfo; all for a session's 0",
    ),
    cited(OF, "MatchAllKeyword", "what all sessions have", "one build, EtwpComputeRegEntryEnableInfo"),
    cited(OF, "FilterData", "NULL", "DDI ETWENABLECALLBACK: optional; no session has a filter here"),
    cited(OF, "CallbackContext", "that of EtwRegister", "DDI EtwRegister"),
];
