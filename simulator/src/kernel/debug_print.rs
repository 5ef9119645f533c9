//! `DbgPrintEx`, whether anybody sees it, and what of it `DebugView` or a debugger would show.

mod format;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::registry::{Registry, Value};
use crate::computer::{Call, Export, Fails, Irql, argument, input::from, memory};
use format::Problem;

/// What one call transmits at most; the rest is lost.
const TRANSMITTED: usize = 512;
/// How many lines a machine remembers.
const REMEMBERED: usize = 1 << 20;
/// The longest format string that is looked at.
const LONGEST_FORMAT: usize = 4096;
/// Component names below the filter key, and their numbers (dpfilter.h).
const COMPONENTS: [(&str, u32); 3] = [("IHVDRIVER", 77), ("IHVNETWORK", 80), ("DEFAULT", 101)];
/// The key whose values say which levels of which component are shown.
const FILTER_KEY: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Debug Print Filter";

const IRQL_NOT_LESS_OR_EQUAL: u32 = 0xA;

/// The exports that print.
pub const EXPORTS: &[Export] = &[
    Export {
        module: "ntoskrnl.exe",
        name: "DbgPrintEx",
        max_irql: Irql::HIGH,
        fails: Fails::Never,
        run: dbg_print_ex,
        inputs: &[
            argument(0, "ComponentId").used("kernel::debug_print::tests::component_and_level_decide_what_is_shown"),
            argument(1, "Level").used("kernel::debug_print::tests::component_and_level_decide_what_is_shown"),
            argument(2, "Format").used("kernel::tests::debug_output_takes_arguments_from_the_stack"),
            from(3, "…").used("kernel::tests::debug_output_takes_arguments_from_the_stack"),
        ],
    },
    Export {
        module: "ntoskrnl.exe",
        name: "DbgQueryDebugFilterState",
        max_irql: Irql::HIGH,
        fails: Fails::Never,
        run: dbg_query_debug_filter_state,
        inputs: &[
            argument(0, "ComponentId").used("kernel::debug_print::tests::a_driver_may_ask_what_is_shown"),
            argument(1, "Level").used("kernel::debug_print::tests::a_driver_may_ask_what_is_shown"),
        ],
    },
];

/// What one call printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugLine {
    /// When, since the machine started.
    pub time: Duration,
    /// Which component printed it (`DPFLTR_IHVNETWORK_ID` is 80).
    pub component: u32,
    /// How important it is: 0 is an error, 3 information.
    pub level: u32,
    /// The text, as far as it was transmitted.
    pub text: String,
    /// Whether Windows shows it with the machine's Debug Print Filter.
    pub shown: bool,
    /// Whether something was lost because the text was too long.
    pub truncated: bool,
}

type Listener = Arc<dyn Fn(&DebugLine) + Send + Sync>;

/// One machine's debug output.
#[derive(Default)]
pub struct DebugPrint {
    lines: Mutex<VecDeque<DebugLine>>,
    listener: RwLock<Option<Listener>>,
    filter: Filter,
}

/// Which levels are shown, by component.
#[derive(Debug)]
struct Filter {
    /// Holds for every component: `Kd_WIN2000_Mask`.
    all: AtomicU32,
    components: [AtomicU32; COMPONENTS.len()],
}

impl Default for Filter {
    fn default() -> Self {
        Self { all: AtomicU32::new(1), components: Default::default() }
    }
}

impl Filter {
    fn shows(&self, component: u32, level: u32) -> bool {
        let bit = if level < 32 { 1 << level } else { level };
        let own = COMPONENTS.iter().position(|&(_, number)| number == component);
        let own = own.map_or(0, |index| self.components[index].load(Ordering::Relaxed));
        bit & (own | self.all.load(Ordering::Relaxed)) != 0
    }
}

impl DebugPrint {
    /// The debug output of a machine that starts with this registry.
    pub(crate) fn with_filter(registry: &Registry) -> Self {
        let print = Self::default();
        print.read_filter(registry);
        print
    }

    /// Reads the Debug Print Filter. Windows does so when it starts only.
    pub fn read_filter(&self, registry: &Registry) {
        let mask = |name| match registry.get(FILTER_KEY, name) {
            Some(Value::Dword(mask)) => Some(mask),
            _ => None,
        };
        self.filter.all.store(mask("WIN2000").unwrap_or(1), Ordering::Relaxed);
        for ((name, _), stored) in COMPONENTS.iter().zip(&self.filter.components) {
            stored.store(mask(name).unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// Shows everything, whatever the filter says, until it is read again: as a debugger that has set all masks.
    pub fn show_everything(&self) {
        self.filter.all.store(u32::MAX, Ordering::Relaxed);
    }

    /// Calls `listener` with each line from now on, on the thread that prints it. It must not run driver code.
    pub fn on_line(&self, listener: impl Fn(&DebugLine) + Send + Sync + 'static) {
        *self.listener.write().unwrap() = Some(Arc::new(listener));
    }

    /// The lines so far (the last million of them), shown or not.
    #[must_use]
    pub fn lines(&self) -> Vec<DebugLine> {
        self.lines.lock().unwrap().iter().cloned().collect()
    }

    /// The lines from the `from`th on, counted from the first that is remembered.
    #[must_use]
    pub fn lines_from(&self, from: usize) -> Vec<DebugLine> {
        self.lines.lock().unwrap().iter().skip(from).cloned().collect()
    }

    /// Takes the lines so far, and forgets them.
    #[must_use]
    pub fn take_lines(&self) -> Vec<DebugLine> {
        self.lines.lock().unwrap().drain(..).collect()
    }

    fn print(&self, time: Duration, component: u32, level: u32, mut bytes: Vec<u8>) {
        let truncated = bytes.len() > TRANSMITTED;
        bytes.truncate(TRANSMITTED);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let shown = self.filter.shows(component, level);
        let line = DebugLine { time, component, level, text, shown, truncated };
        let listener = self.listener.read().unwrap().clone();
        if let Some(listener) = listener {
            listener(&line);
        }
        let mut lines = self.lines.lock().unwrap();
        if lines.len() == REMEMBERED {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

fn dbg_print_ex(call: &Call<'_>) -> u64 {
    let (component, level) = (call.arg_u32(0), call.arg_u32(1));
    let template = call.accessible(memory::read_c_string(call.arg(2), LONGEST_FORMAT));
    let mut next = 2;
    let text = format::format(&template, call.cpu.irql(), || {
        next += 1;
        call.arg(next)
    });
    let text = match text {
        Ok(text) => text,
        Err(Problem::BadPointer(bad)) => call.accessible(Err(bad)),
        Err(Problem::UnicodeAboveApc(code)) => {
            let irql = call.cpu.irql();
            call.bug_check(
                IRQL_NOT_LESS_OR_EQUAL,
                [call.arg(2), u64::from(irql.0), 0, call.caller()],
                format!("DbgPrintEx with {code} at {irql}: Unicode codes use paged tables, PASSIVE_LEVEL only"),
            )
        }
    };
    call.machine.debug_print().print(call.machine.clock().since_start(), component, level, text);
    0
}

/// wdm.h declares it, and no page has it. That it answers 1 or 0, at any IRQL at which `DbgPrintEx` may be called, is so in
/// disassemblies of three builds: `DbgPrintEx` itself begins with `NtQueryDebugFilterState`, which is all that this calls.
fn dbg_query_debug_filter_state(call: &Call<'_>) -> u64 {
    call.machine.debug_print().filter.shows(call.arg_u32(0), call.arg_u32(1)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: u32 = 80;
    const INFO: u32 = 3;

    fn printed(print: &DebugPrint, level: u32, text: &str) -> DebugLine {
        print.print(Duration::ZERO, NETWORK, level, text.into());
        print.lines().pop().unwrap()
    }

    #[test]
    fn windows_shows_errors_only_unless_told_otherwise() {
        let print = DebugPrint::default();
        assert!(printed(&print, 0, "error").shown);
        assert!(!printed(&print, INFO, "information").shown);
    }

    #[test]
    fn the_filter_value_of_a_component_shows_its_levels() {
        let registry = Registry::default();
        registry.set(FILTER_KEY, "IHVNETWORK", Value::Dword(8));
        let print = DebugPrint::default();
        print.read_filter(&registry);
        assert!(printed(&print, INFO, "information").shown);
        assert!(!printed(&print, 2, "trace").shown);
    }

    #[test]
    fn component_and_level_decide_what_is_shown() {
        let machine = crate::kernel::tests::machine();
        machine.registry().set(FILTER_KEY, "IHVNETWORK", Value::Dword(8));
        machine.debug_print().read_filter(machine.registry());
        for (component, level) in [(80, 3), (77, 3), (80, 2)] {
            let arguments = [component, level, c"text".as_ptr() as u64];
            crate::kernel::tests::called(&machine, "DbgPrintEx", &arguments).unwrap();
        }
        let shown: Vec<bool> = machine.debug_print().lines().iter().map(|line| line.shown).collect();
        assert_eq!(shown, [true, false, false]);
    }

    #[test]
    fn a_driver_may_ask_what_is_shown() {
        let machine = crate::kernel::tests::machine();
        machine.registry().set(FILTER_KEY, "IHVNETWORK", Value::Dword(8));
        machine.debug_print().read_filter(machine.registry());
        let asked = |component, level| {
            crate::kernel::tests::called(&machine, "DbgQueryDebugFilterState", &[component, level]).unwrap()
        };
        assert_eq!([asked(80, 3), asked(77, 3), asked(80, 2), asked(77, 0)], [1, 0, 0, 1]);
    }

    #[test]
    fn a_level_above_31_is_a_mask() {
        let print = DebugPrint::default();
        assert!(printed(&print, 0x8000_0001, "mask").shown);
        assert!(!printed(&print, 0x8000_0000, "mask").shown);
    }

    #[test]
    fn a_line_ends_after_512_bytes() {
        let print = DebugPrint::default();
        assert!(!printed(&print, 0, &"x".repeat(512)).truncated);
        let long = printed(&print, 0, &"x".repeat(513));
        assert_eq!((long.text.len(), long.truncated), (512, true));
    }

    #[test]
    fn a_listener_hears_each_line() {
        let print = DebugPrint::default();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        print.on_line(move |line| ear.lock().unwrap().push(line.text.clone()));
        printed(&print, 0, "first");
        printed(&print, 0, "second");
        assert_eq!(*heard.lock().unwrap(), ["first", "second"]);
    }
}
