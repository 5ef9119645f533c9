//! The system itself: its version, unique ids, numbers in words, and stopping it.

use super::unicode_string::UnicodeString;
use crate::computer::{Call, Export, Fails, Irql, argument, field, memory};

const STATUS_SUCCESS: u64 = 0;
const STATUS_BUFFER_OVERFLOW: u32 = 0x8000_0005;
const STATUS_INVALID_PARAMETER: u32 = 0xC000_000D;
const STATUS_RETRY: u32 = 0xC000_022D;

/// `VER_PLATFORM_WIN32_NT`.
const PLATFORM: u32 = 2;
/// The size of `RTL_OSVERSIONINFOEXW` (wdm.h).
const EXTENDED_INFORMATION: u32 = 284;
/// `RTL_OSVERSIONINFOW.dwMajorVersion`; minor version, build and platform follow.
const MAJOR_VERSION: u64 = 4;
/// `RTL_OSVERSIONINFOW.szCSDVersion`, the name of the service pack.
const SERVICE_PACK: u64 = 20;

/// The exports that have to do with the system.
pub const EXPORTS: &[Export] = &[
    row("ExUuidCreate", Irql::PASSIVE, Fails::Status(&[STATUS_RETRY]), create_uuid)
        .with(&[argument(0, "Uuid").used("kernel::system::tests::unique_ids_are_random_ones_of_version_4")]),
    row("KeBugCheckEx", Irql::HIGH, Fails::Never, bug_check).with(&[
        argument(0, "BugCheckCode").used(STOPPED),
        argument(1, "BugCheckParameter1").used(STOPPED),
        argument(2, "BugCheckParameter2").used(STOPPED),
        argument(3, "BugCheckParameter3").used(STOPPED),
        argument(4, "BugCheckParameter4").used(STOPPED),
    ]),
    row("RtlGetVersion", Irql::PASSIVE, Fails::Never, version).with(&[
        field(0, 0, "lpVersionInformation.dwOSVersionInfoSize").guess(
            "by it the caller says which structure it is (DDI RtlGetVersion). Every size but that of RTL_OSVERSIONINFOEXW, which \
             is not modelled, stands for the short one: WinDivert leaves there what the stack holds, and works on many machines",
        ),
        field(0, MAJOR_VERSION as u16, "lpVersionInformation (the rest)")
            .ignored("DDI RtlGetVersion: written, not read"),
    ]),
    row(
        "RtlIntegerToUnicodeString",
        Irql::PASSIVE,
        Fails::Status(&[STATUS_BUFFER_OVERFLOW, STATUS_INVALID_PARAMETER]),
        integer_to_string,
    )
    .with(&[
        argument(0, "Value").used(WRITTEN),
        argument(1, "Base").refused(WRITTEN, "DDI RtlIntegerToUnicodeString: STATUS_INVALID_PARAMETER"),
        field(2, 0, "String.Length").ignored("DDI RtlIntegerToUnicodeString: written, not read"),
        field(2, 2, "String.MaximumLength").used("kernel::system::tests::a_number_that_does_not_fit_is_refused"),
        field(2, 8, "String.Buffer").used(WRITTEN),
    ]),
];

const STOPPED: &str = "kernel::system::tests::a_drivers_own_bug_check_carries_its_code_and_parameters";
const WRITTEN: &str = "kernel::system::tests::a_number_is_written_in_the_base_that_is_asked_for";

const fn row(name: &'static str, max_irql: Irql, fails: Fails, run: fn(&Call<'_>) -> u64) -> Export {
    Export { module: "ntoskrnl.exe", name, max_irql, fails, run, inputs: &[] }
}

/// A random UUID (version 4), from the machine's seed.
fn create_uuid(call: &Call<'_>) -> u64 {
    let half = || call.machine.random_below(u64::MAX);
    // The version is the upper half of byte 7, the variant the upper bits of byte 8.
    let low = half() & (u64::MAX >> 4) | 4 << 60;
    let high = half() & !0xC0 | 0x80;
    call.write(call.arg(0), [low, high]);
    STATUS_SUCCESS
}

/// The driver stops the machine.
fn bug_check(call: &Call<'_>) -> u64 {
    let parameters = [1, 2, 3, 4].map(|n| call.arg(n));
    call.bug_check(call.arg_u32(0), parameters, "the driver called KeBugCheckEx")
}

fn version(call: &Call<'_>) -> u64 {
    if call.read::<u32>(call.arg(0)) == EXTENDED_INFORMATION {
        call.not_modelled("RTL_OSVERSIONINFOEXW, which RtlGetVersion was given");
    }
    let [major, minor, build] = call.machine.kernel().version.0;
    call.write(call.arg(0) + MAJOR_VERSION, [major, minor, build, PLATFORM]);
    call.write(call.arg(0) + SERVICE_PACK, 0u16);
    STATUS_SUCCESS
}

/// Bases 2, 8, 10 (0 stands for it) and 16, in upper case; a NUL follows where there is room.
fn integer_to_string(call: &Call<'_>) -> u64 {
    let (value, base, string_at) = (call.arg_u32(0), call.arg_u32(1), call.arg(2));
    let digits = match base {
        2 => format!("{value:b}"),
        8 => format!("{value:o}"),
        0 | 10 => value.to_string(),
        16 => format!("{value:X}"),
        _ => return STATUS_INVALID_PARAMETER.into(),
    };
    let mut string: UnicodeString = call.read(string_at);
    let mut units: Vec<u16> = digits.encode_utf16().collect();
    let room = usize::from(string.maximum_length / 2);
    if units.len() > room {
        return STATUS_BUFFER_OVERFLOW.into();
    }
    string.length = 2 * units.len() as u16;
    if units.len() < room {
        units.push(0);
    }
    call.accessible(memory::write_bytes(string.buffer, bytemuck::cast_slice(&units)));
    call.write(string_at, string);
    STATUS_SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::tests::{called, code, machine};

    #[test]
    fn unique_ids_are_random_ones_of_version_4() {
        let (machine, mut ids) = (machine(), [[0u8; 16]; 2]);
        for id in &mut ids {
            assert_eq!(called(&machine, "ExUuidCreate", &[id.as_mut_ptr() as u64]).unwrap(), 0);
            assert_eq!((id[7] >> 4, id[8] >> 6), (4, 0b10), "{id:x?}");
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn the_version_is_that_of_windows_10() {
        let mut information = [0xFFu32; 69];
        called(&machine(), "RtlGetVersion", &[information.as_mut_ptr() as u64]).unwrap();
        assert_eq!(information[1..5], [10, 0, 19041, 2]);
    }

    #[test]
    fn the_extended_version_is_not_modelled() {
        let information = [EXTENDED_INFORMATION; 71];
        let caught = called(&machine(), "RtlGetVersion", &[information.as_ptr() as u64]).unwrap_err();
        assert!(caught.reason().contains("does not model RTL_OSVERSIONINFOEXW"), "{caught}");
    }

    #[test]
    fn a_drivers_own_bug_check_carries_its_code_and_parameters() {
        let caught = called(&machine(), "KeBugCheckEx", &[0xF7, 1, 2, 3, 4]).unwrap_err();
        assert_eq!((caught.code(), caught.parameters()), (0xF7, [1, 2, 3, 4]));
    }

    fn written(value: u64, base: u64, room: u16) -> (u64, String) {
        let mut place = [0u16; 16];
        let buffer = place.as_mut_ptr() as u64;
        let mut string = UnicodeString { length: 0, maximum_length: 2 * room, padding: 0, buffer };
        let arguments = [value, base, &raw mut string as u64];
        let status = called(&machine(), "RtlIntegerToUnicodeString", &arguments).unwrap();
        (status, String::from_utf16_lossy(&place[..usize::from(string.length / 2)]))
    }

    #[test]
    fn a_number_is_written_in_the_base_that_is_asked_for() {
        assert_eq!(written(4242, 10, 8), (0, "4242".into()));
        assert_eq!(written(4242, 0, 4), (0, "4242".into()));
        assert_eq!(written(0xBEEF, 16, 8), (0, "BEEF".into()));
        assert_eq!(written(5, 3, 8), (STATUS_INVALID_PARAMETER.into(), String::new()));
    }

    #[test]
    fn a_number_that_does_not_fit_is_refused() {
        assert_eq!(written(4242, 10, 3), (STATUS_BUFFER_OVERFLOW.into(), String::new()));
    }

    #[test]
    fn a_unique_id_above_passive_level_is_caught() {
        let (machine, mut id) = (machine(), [0u8; 16]);
        let create = crate::windows::address("ntoskrnl.exe", "ExUuidCreate").unwrap();
        let caught = machine.run(|cpu| {
            cpu.set_irql(Irql::DISPATCH);
            cpu.call(create, "ExUuidCreate", &[id.as_mut_ptr() as u64])
        });
        assert_eq!(code(caught).0, 0xA);
    }
}
