//! The function table that `WdfVersionBind` hands out.

use std::sync::OnceLock;

use crate::kernel::exports::{self, WDF, WDF_FUNCTIONS};

/// The functions of KMDF 1.33 by their place in the table, from `enum _WDFFUNCENUM`; 1.31 has the same.
const NAMES: &str = include_str!("functions.txt");

fn names() -> &'static [&'static str] {
    static LIST: OnceLock<Vec<&'static str>> = OnceLock::new();
    LIST.get_or_init(|| NAMES.lines().collect())
}

/// The name of the function in `slot`.
#[must_use]
pub fn name(slot: usize) -> Option<&'static str> {
    names().get(slot).copied()
}

/// The table. A function that the simulator does not have stops the machine by its name when it is called.
pub(super) fn entries() -> &'static [u64] {
    static TABLE: OnceLock<Vec<u64>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let address = |(slot, name): (usize, &&str)| {
            exports::address(WDF, name).unwrap_or_else(|| exports::missing_wdf_address(slot))
        };
        names().iter().enumerate().map(address).take(WDF_FUNCTIONS).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_names_are_those_of_the_framework_in_its_order() {
        let facts = facts::json();
        let functions = &facts["enums"]["WDFFUNCENUM"];
        assert_eq!(functions["table_entries"], WDF_FUNCTIONS);
        let index = functions["function_index"].as_object().expect("function_index");
        assert_eq!((index.len(), names().len()), (WDF_FUNCTIONS, WDF_FUNCTIONS));
        for (slot, &name) in names().iter().enumerate() {
            assert_eq!(index[name], slot, "{name}");
        }
    }

    #[test]
    fn every_function_of_ours_is_in_the_table_with_the_irql_limit_of_the_headers() {
        let facts = facts::json();
        for export in exports::all().filter(|export| export.module == WDF) {
            assert!(names().contains(&export.name), "{}", export.name);
            // Three are not in the headers that the facts are from; their pages say the same.
            let Some(documented) = facts["wdf_functions"][export.name]["irql_sal"][0].as_str() else {
                assert!(["WdfDeviceEnqueueRequest"].contains(&export.name) || export.name.contains("ProbeAndLock"));
                continue;
            };
            assert!(documented.contains(&export.max_irql.to_string()), "{}: {documented}", export.name);
        }
    }

    #[test]
    fn no_two_slots_share_an_address() {
        let mut table = entries().to_vec();
        table.sort_unstable();
        table.dedup();
        assert_eq!(table.len(), WDF_FUNCTIONS);
    }
}
