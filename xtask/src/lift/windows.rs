//! Stands in for the crate `windows` on Linux: a registry without keys.

/// A string literal that ends in NUL.
#[macro_export]
macro_rules! s {
    ($text:literal) => {
        $crate::core::PCSTR(concat!($text, "\0").as_ptr())
    };
}

pub mod core {
    pub use crate::s;

    #[derive(Clone, Copy)]
    pub struct PCSTR(pub *const u8);
}

#[allow(non_snake_case)]
pub mod Win32 {
    pub mod System {
        pub mod Registry {
            use std::ffi::c_void;

            use crate::core::PCSTR;

            #[derive(Clone, Copy, Default)]
            pub struct HKEY(pub usize);

            pub struct Status(u32);

            impl Status {
                pub fn is_ok(&self) -> bool {
                    self.0 == 0
                }

                pub fn ok(self) -> Result<(), u32> {
                    if self.is_ok() { Ok(()) } else { Err(self.0) }
                }
            }

            pub const HKEY_LOCAL_MACHINE: HKEY = HKEY(0);
            pub const KEY_READ: u32 = 0;
            pub const RRF_RT_REG_SZ: u32 = 2;

            const SUCCESS: Status = Status(0);
            const FILE_NOT_FOUND: Status = Status(2);

            pub unsafe fn RegOpenKeyExA(_: HKEY, _: PCSTR, _: Option<u32>, _: u32, _: *mut HKEY) -> Status {
                FILE_NOT_FOUND
            }

            pub unsafe fn RegGetValueA(
                _: HKEY,
                _: Option<PCSTR>,
                _: PCSTR,
                _: u32,
                _: Option<*mut u32>,
                _: Option<*mut c_void>,
                _: Option<*mut u32>,
            ) -> Status {
                FILE_NOT_FOUND
            }

            pub unsafe fn RegCloseKey(_: HKEY) -> Status {
                SUCCESS
            }
        }
    }
}
