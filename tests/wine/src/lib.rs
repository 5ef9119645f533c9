//! What Wine lacks to run `flowtag.sys`: KMDF's loader and framework, the kernel client of the filtering platform, and
//! twenty-three functions of the kernel, twelve of them about processes.
//!
//! It shares no code with the driver or the simulator, so that an error of theirs is none of this. Each rule names its
//! source: *KMDF* is Microsoft's published framework (github.com/microsoft/Windows-Driver-Frameworks, below
//! `src/framework`), *DDI* its driver reference. What is not modelled is not accepted: it says so on the debug output,
//! in a line that begins with `stand-in:`, and whoever reads the lines takes that for a failure.
#![no_std]

pub mod fault;
pub mod image;
pub mod kmdf;
pub mod list;
pub mod lock;
pub mod missing;
pub mod nt;
pub mod processes;
mod runtime;
pub mod say;
pub mod text;
pub mod wfp;

use core::panic::PanicInfo;

/// Says what went wrong; the test sees the line, or the time that passes.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    complain!("{info}");
    loop {
        nt::sleep();
    }
}
