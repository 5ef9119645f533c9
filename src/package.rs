//! The security identifier of the app container that a process runs in.
//!
//! IRQL: any: nothing here calls the kernel

/// Bytes of the longest: eight, and four for each of fifteen sub-authorities (winnt.h, `SECURITY_MAX_SID_SIZE`).
const LONGEST: usize = 68;
/// `SID_REVISION`.
const REVISION: u8 = 1;
/// `SID_MAX_SUB_AUTHORITIES`.
const MOST_SUB_AUTHORITIES: u8 = 15;

/// S-1-0-0, nobody. That Windows gives this for who is in no app container is a guess; where it gives nothing, this stands for that,
/// too.
const NOBODY: [u8; 12] = [REVISION, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Bytes of a security identifier that begins with these two numbers (Win32, `GetSidLengthRequired`); [`None`] if there is none
/// such (Win32, `IsValidSid`).
#[must_use]
pub const fn sid_length(revision: u8, sub_authorities: u8) -> Option<usize> {
    if revision != REVISION || sub_authorities > MOST_SUB_AUTHORITIES {
        return None;
    }
    Some((sub_authorities as usize).wrapping_mul(4).wrapping_add(8))
}

/// What is stored of an identifier: nothing of nobody's, and of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a>(&'a [u8]);

impl<'a> Stored<'a> {
    /// Of this one.
    #[must_use]
    pub fn of(sid: Option<&'a [u8]>) -> Self {
        Self(sid.filter(|sid| *sid != NOBODY && sid.len() <= LONGEST).unwrap_or_default())
    }

    /// As it was read where it was stored.
    #[must_use]
    pub const fn read(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The identifier.
    #[must_use]
    pub const fn sid(self) -> &'a [u8] {
        if self.0.is_empty() { &NOBODY } else { self.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_known_by_its_identifier() {
        let mut sid = [7; LONGEST];
        for length in [8, 12, 40, LONGEST] {
            sid[length - 1] = 9;
            assert_eq!(Stored::of(Some(&sid[..length])).sid(), &sid[..length]);
        }
    }

    #[test]
    fn nobody_and_no_package_are_the_same_and_take_no_room() {
        // S-1-0-0: revision 1, one sub-authority, authority 0, sub-authority 0.
        let nobody = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for stored in [Stored::of(Some(&nobody)), Stored::of(None), Stored::read(&[])] {
            assert_eq!((stored.bytes(), stored.sid()), ([].as_slice(), nobody.as_slice()));
        }
    }

    #[test]
    fn what_is_longer_than_any_identifier_is_none() {
        assert!(Stored::of(Some(&[1; LONGEST + 1])).bytes().is_empty());
    }

    #[test]
    fn an_identifier_has_fifteen_sub_authorities_at_most() {
        assert_eq!((sid_length(1, 15), sid_length(1, 16)), (Some(68), None));
    }
}
