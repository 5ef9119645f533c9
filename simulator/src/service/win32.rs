//! Win32 error codes as service commands show them, and how an NTSTATUS becomes one.

use std::fmt;

/// A Win32 error code; its `Display` is the system's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Win32Error(pub u32);

impl Win32Error {
    /// That is no name.
    pub const INVALID_NAME: Self = Self(123);
    /// The service cannot be stopped.
    pub const INVALID_SERVICE_CONTROL: Self = Self(1052);
    /// It runs already.
    pub const SERVICE_ALREADY_RUNNING: Self = Self(1056);
    /// Its start type is disabled.
    pub const SERVICE_DISABLED: Self = Self(1058);
    /// There is none of that name.
    pub const SERVICE_DOES_NOT_EXIST: Self = Self(1060);
    /// It does not run.
    pub const SERVICE_NOT_ACTIVE: Self = Self(1062);
    /// It is deleted as soon as it stops.
    pub const SERVICE_MARKED_FOR_DELETE: Self = Self(1072);
    /// There is one of that name already.
    pub const SERVICE_EXISTS: Self = Self(1073);
    /// Windows does not let the driver load.
    pub const DRIVER_BLOCKED: Self = Self(1275);
    /// It was never started.
    pub const SERVICE_NEVER_STARTED: Self = Self(1077);

    /// What the kernel's status is as a Win32 error (`RtlNtStatusToDosError`).
    #[must_use]
    pub fn from_status(status: u32) -> Self {
        /// Statuses of the filtering platform become HRESULTs of the same number.
        const FWP_STATUS: u32 = 0xC022_0000;
        const FWP_RESULT: u32 = 0x8032_0000;
        const MESSAGE_NOT_FOUND: u32 = 317;
        if status & 0xFFFF_0000 == FWP_STATUS {
            return Self(FWP_RESULT | (status & 0xFFFF));
        }
        let known = STATUSES.iter().find(|&&(known, _)| known == status);
        Self(known.map_or(MESSAGE_NOT_FOUND, |&(_, error)| error))
    }
}

/// NTSTATUS and Win32 error.
const STATUSES: &[(u32, u32)] = &[
    (0x0000_0000, 0),
    (0x8000_0011, 170),
    (0xC000_0001, 31),
    (0xC000_0002, 1),
    (0xC000_0004, 24),
    (0xC000_0008, 6),
    (0xC000_000D, 87),
    (0xC000_000E, 2),
    (0xC000_000F, 2),
    (0xC000_0010, 1),
    (0xC000_0017, 8),
    (0xC000_0022, 5),
    (0xC000_0024, 6),
    (0xC000_0033, 123),
    (0xC000_0034, 2),
    (0xC000_0035, 183),
    (0xC000_003A, 3),
    (0xC000_0059, 1306),
    (0xC000_0079, 1338),
    (0xC000_007B, 193),
    (0xC000_009A, 1450),
    (0xC000_00B5, 121),
    (0xC000_00BB, 50),
    (0xC000_0135, 126),
    (0xC000_0139, 127),
    (0xC000_0183, 1117),
    (0xC000_0184, 22),
    (0xC000_0225, 1168),
    (0xC000_0263, 127),
    (0xC000_026C, 2001),
    (0xC000_0365, 647),
    (0xC000_036B, 1275),
    (0xC000_0428, 577),
    (0xC002_0017, 1722),
    (0xC002_0018, 1723),
    (0xC002_0036, 1753),
];

impl fmt::Display for Win32Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = MESSAGES.iter().find(|&&(code, _)| code == self.0);
        match known {
            Some(&(_, message)) => f.write_str(message),
            None => write!(f, "Unknown error {:#x}.", self.0),
        }
    }
}

/// Win32 errors and what the system says of them.
const MESSAGES: &[(u32, &str)] = &[
    (1, "Incorrect function."),
    (2, "The system cannot find the file specified."),
    (3, "The system cannot find the path specified."),
    (5, "Access is denied."),
    (6, "The handle is invalid."),
    (8, "Not enough memory resources are available to process this command."),
    (22, "The device does not recognize the command."),
    (24, "The program issued a command but the command length is incorrect."),
    (31, "A device attached to the system is not functioning."),
    (50, "The request is not supported."),
    (87, "The parameter is incorrect."),
    (121, "The semaphore timeout period has expired."),
    (123, "The filename, directory name, or volume label syntax is incorrect."),
    (126, "The specified module could not be found."),
    (127, "The specified procedure could not be found."),
    (170, "The requested resource is in use."),
    (183, "Cannot create a file when that file already exists."),
    (193, "%1 is not a valid Win32 application."),
    (317, "The system cannot find message text for message number 0x%1 in the message file for %2."),
    (
        577,
        "Windows cannot verify the digital signature for this file. A recent hardware or software change might have installed a file that is signed incorrectly or damaged, or that might be malicious software from an unknown source.",
    ),
    (647, "The driver was not loaded because it failed its initialization call."),
    (1052, "The requested control is not valid for this service."),
    (1056, "An instance of the service is already running."),
    (
        1058,
        "The service cannot be started, either because it is disabled or because it has no enabled devices associated with it.",
    ),
    (1060, "The specified service does not exist as an installed service."),
    (1062, "The service has not been started."),
    (1072, "The specified service has been marked for deletion."),
    (1073, "The specified service already exists."),
    (1077, "No attempts to start the service have been made since the last boot."),
    (1117, "The request could not be performed because of an I/O device error."),
    (1168, "Element not found."),
    (1275, "This driver has been blocked from loading"),
    (1306, "Indicates two revision levels are incompatible."),
    (1338, "The security descriptor structure is invalid."),
    (1450, "Insufficient system resources exist to complete the requested service."),
    (1722, "The RPC server is unavailable."),
    (1723, "The RPC server is too busy to complete this operation."),
    (1753, "There are no more endpoints available from the endpoint mapper."),
    (2001, "The specified driver is invalid."),
    (0x8032_0009, "An object with that GUID or LUID already exists."),
    (0x8032_000D, "The call must be made from within an explicit transaction."),
    (0x8032_0012, "The call timed out while waiting to acquire the transaction lock."),
    (0x8032_0014, "The TXN_IN_PROGRESS state does not allow the call."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_becomes_the_error_that_windows_shows() {
        for (status, error) in [(0xC000_0001, 31), (0xC000_009A, 1450), (0xC000_0034, 2), (0xC000_036B, 1275)] {
            assert_eq!(Win32Error::from_status(status), Win32Error(error), "{status:#x}");
        }
    }

    #[test]
    fn a_filtering_platform_status_keeps_its_number() {
        assert_eq!(Win32Error::from_status(0xC022_0009), Win32Error(0x8032_0009));
    }

    #[test]
    fn a_status_without_a_counterpart_has_no_message() {
        assert_eq!(Win32Error::from_status(0xC0DE_0001), Win32Error(317));
    }

    #[test]
    fn every_error_that_a_status_becomes_has_a_message() {
        for &(status, error) in STATUSES.iter().filter(|&&(_, error)| error != 0) {
            assert!(!Win32Error(error).to_string().starts_with("Unknown"), "{status:#x}: {error}");
        }
    }
}
