//! Names of devices, and of links to them, in the object manager's namespace.
//!
//! WDK "Introduction to MS-DOS device names" and "Local and global MS-DOS device names": `\DosDevices` is `\??`, and that is
//! `\GLOBAL??` for code of the system; a name below `\DosDevices\Global` is there for whoever creates it. Simplification: links
//! that a driver makes on behalf of a program go to the global names, too.

/// Where the MS-DOS names of the system are, whichever way they are written.
const GLOBAL: &str = r"\??\";
const ALIASES: [&str; 3] = [r"\DosDevices\", r"\GLOBAL??\", r"\??\"];
const GLOBAL_FROM_ANYWHERE: &str = r"Global\";

/// One name for each object, however it is written.
pub(super) fn canonical(name: &str) -> String {
    let Some(mut rest) = ALIASES.iter().find_map(|alias| without(name, alias)) else { return name.to_owned() };
    while let Some(inner) = without(rest, GLOBAL_FROM_ANYWHERE) {
        rest = inner;
    }
    format!("{GLOBAL}{rest}")
}

/// The name by which the object manager knows what a program calls so: `\\.\x` and `\\?\x` are `\??\x`.
pub(crate) fn of_program(name: &str) -> String {
    let rest = [r"\\.\", r"\\?\"].iter().find_map(|prefix| name.strip_prefix(prefix));
    rest.map_or_else(|| name.to_owned(), |rest| format!("{GLOBAL}{rest}"))
}

/// `name` without `prefix`, which is in any case.
fn without<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_one_name_however_it_is_written() {
        for name in [
            r"\??\x",
            r"\DosDevices\x",
            r"\dosdevices\Global\x",
            r"\??\Global\x",
            r"\GLOBAL??\x",
            &of_program(r"\\.\x"),
            &of_program(r"\\?\x"),
            &of_program(r"\\.\Global\x"),
        ] {
            assert_eq!(canonical(name), r"\??\x", "{name}");
        }
    }

    #[test]
    fn other_names_stay_as_they_are() {
        for name in [r"\Device\x", r"\DosDevicesX\x", r"\Device\Global\x", "x"] {
            assert_eq!(canonical(name), name);
        }
    }
}
