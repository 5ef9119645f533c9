//! The function table that `WdfVersionBind` hands out.

use std::sync::OnceLock;

/// The functions of KMDF 1.33 by their place in the table, from `enum _WDFFUNCENUM`; 1.31 has the same.
const NAMES: &str = include_str!("functions.txt");

/// The functions, in the table's order.
#[must_use]
pub fn functions() -> &'static [&'static str] {
    static LIST: OnceLock<Vec<&'static str>> = OnceLock::new();
    LIST.get_or_init(|| NAMES.lines().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kmdf::{WDF, facts},
        windows,
    };

    /// How many functions KMDF 1.33 has; 1.31 has the same.
    const FUNCTIONS: usize = 458;

    #[test]
    fn the_names_are_those_of_the_framework_in_its_order() {
        let facts = facts::json();
        let documented = &facts["enums"]["WDFFUNCENUM"];
        assert_eq!(documented["table_entries"], FUNCTIONS);
        let index = documented["function_index"].as_object().expect("function_index");
        assert_eq!((index.len(), functions().len()), (FUNCTIONS, FUNCTIONS));
        for (slot, &name) in functions().iter().enumerate() {
            assert_eq!(index[name], slot, "{name}");
        }
    }

    #[test]
    fn every_function_of_ours_is_in_the_table_with_the_irql_limit_of_the_headers() {
        let facts = facts::json();
        for export in windows::imports().all().filter(|export| export.module == WDF) {
            assert!(functions().contains(&export.name), "{}", export.name);
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
        let mut table = windows::imports().function_table(WDF).to_vec();
        table.sort_unstable();
        table.dedup();
        assert_eq!(table.len(), FUNCTIONS);
    }
}
