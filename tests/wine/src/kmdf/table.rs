//! The table of KMDF's functions.
use core::cell::UnsafeCell;

use super::{bind::FUNCTION_COUNT, device, driver, registry};
use crate::{complain, nt};

/// A function of KMDF by its name and its index (KMDF, publicinc/wdf/kmdf/1.31/wdffuncenum.h).
type Function = (&'static str, usize, *const ());

const FUNCTIONS: [Function; 12] = [
    ("WdfControlDeviceInitAllocate", 25, device::allocate_init as *const ()),
    ("WdfControlFinishInitializing", 27, device::finish_initializing as *const ()),
    ("WdfDeviceWdmGetDeviceObject", 31, device::device_object as *const ()),
    ("WdfDeviceInitFree", 54, device::free_init as *const ()),
    ("WdfDeviceInitSetDeviceType", 66, device::set_type as *const ()),
    ("WdfDeviceInitSetCharacteristics", 70, device::set_characteristics as *const ()),
    ("WdfDeviceCreate", 75, device::create as *const ()),
    ("WdfDriverCreate", 116, driver::create as *const ()),
    ("WdfDriverOpenParametersRegistryKey", 119, registry::open_parameters as *const ()),
    ("WdfObjectDelete", 208, device::delete as *const ()),
    ("WdfRegistryClose", 231, registry::close as *const ()),
    ("WdfRegistryQueryULong", 240, registry::query_u32 as *const ()),
];

/// The table, which the driver calls through.
struct Table(UnsafeCell<[usize; FUNCTION_COUNT]>);

// SAFETY: written while the driver is loaded, and where a fault strikes: by the thread that loads it.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new([0; FUNCTION_COUNT]));

/// Fills the table anew and gives its address.
pub fn fill() -> *const usize {
    let table = TABLE.0.get().cast::<usize>();
    for index in 0..FUNCTION_COUNT {
        let known = FUNCTIONS.iter().find(|function| function.1 == index);
        let function = known.map_or(not_modelled as *const (), |function| function.2);
        // SAFETY: within the table, and nobody calls through it yet.
        unsafe { table.wrapping_add(index).write(function as usize) };
    }
    table
}

/// The entry of a function.
pub fn slot(name: &str) -> Option<*mut usize> {
    let (_, index, _) = FUNCTIONS.iter().find(|function| function.0 == name)?;
    Some(TABLE.0.get().cast::<usize>().wrapping_add(*index))
}

extern "C" fn not_modelled() -> nt::Status {
    complain!("the driver calls a function of KMDF that is not modelled");
    nt::NOT_SUPPORTED
}
