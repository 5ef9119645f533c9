//! The security identifier of the app container that a process runs in.
//!
//! IRQL: any: nothing here calls the kernel

/// Bytes of the longest: eight, and four for each of fifteen sub-authorities (winnt.h, `SECURITY_MAX_SID_SIZE`).
pub const LONGEST: usize = 68;
/// `SID_REVISION`.
const REVISION: u8 = 1;
/// `SID_MAX_SUB_AUTHORITIES`.
const MOST_SUB_AUTHORITIES: u8 = 15;

/// S-1-0-0, nobody. That Windows gives this for who is in no app container is a guess; where it gives nothing, this stands for that,
/// too.
pub const NOBODY: [u8; 12] = [REVISION, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Bytes of a security identifier that begins with these two numbers (Win32, `GetSidLengthRequired`); [`None`] if there is none
/// such (Win32, `IsValidSid`).
#[must_use]
pub const fn sid_length(revision: u8, sub_authorities: u8) -> Option<usize> {
    if revision != REVISION || sub_authorities > MOST_SUB_AUTHORITIES {
        return None;
    }
    Some((sub_authorities as usize).wrapping_mul(4).wrapping_add(8))
}

/// What is stored of an identifier: nothing for nobody's, and for none.
#[must_use]
pub fn stored(sid: Option<&[u8]>) -> &[u8] {
    sid.filter(|sid| *sid != NOBODY && sid.len() <= LONGEST).unwrap_or_default()
}

/// The identifier of which this was stored.
#[must_use]
pub const fn of_stored(stored: &[u8]) -> &[u8] {
    if stored.is_empty() { &NOBODY } else { stored }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_known_by_its_identifier() {
        let mut sid = [7; LONGEST];
        for length in [8, 12, 40, LONGEST] {
            sid[length - 1] = 9;
            assert_eq!(of_stored(stored(Some(&sid[..length]))), &sid[..length]);
        }
    }

    #[test]
    fn nobody_and_no_package_are_the_same_and_take_no_room() {
        // S-1-0-0: revision 1, one sub-authority, authority 0, sub-authority 0.
        let nobody = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!((stored(Some(&nobody)), stored(None)), ([].as_slice(), [].as_slice()));
        assert_eq!(of_stored(&[]), nobody);
    }

    #[test]
    fn what_is_longer_than_any_identifier_is_none() {
        assert_eq!(stored(Some(&[1; LONGEST + 1])), []);
    }

    #[test]
    fn an_identifier_has_fifteen_sub_authorities_at_most() {
        assert_eq!((sid_length(1, 15), sid_length(1, 16)), (Some(68), None));
    }
}
