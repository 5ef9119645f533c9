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

/// The app container of a flow's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    length: u8,
    sid: [u8; LONGEST],
}

impl Package {
    /// The one with this identifier; none if there is no identifier.
    #[must_use]
    pub fn of(sid: Option<&[u8]>) -> Self {
        let sid = sid.filter(|sid| sid.len() <= LONGEST).unwrap_or(&NOBODY);
        let mut package = Self { length: 0, sid: [0; LONGEST] };
        for (place, byte) in package.sid.iter_mut().zip(sid) {
            *place = *byte;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most LONGEST")]
        let length = sid.len() as u8;
        package.length = length;
        package
    }

    /// Its identifier; S-1-0-0 for none.
    #[must_use]
    pub fn sid(&self) -> &[u8] {
        self.sid.get(..self.length.into()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_known_by_its_identifier() {
        let mut sid = [7; LONGEST];
        for length in [8, 40, LONGEST] {
            sid[length - 1] = 9;
            assert_eq!(Package::of(Some(&sid[..length])).sid(), &sid[..length]);
        }
    }

    #[test]
    fn no_package_is_nobody() {
        // S-1-0-0: revision 1, one sub-authority, authority 0, sub-authority 0.
        assert_eq!(Package::of(None).sid(), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_longer_than_any_identifier_is_none() {
        assert_eq!(Package::of(Some(&[1; LONGEST + 1])), Package::of(None));
    }

    #[test]
    fn an_identifier_has_fifteen_sub_authorities_at_most() {
        assert_eq!((sid_length(1, 15), sid_length(1, 16)), (Some(68), None));
    }
}
