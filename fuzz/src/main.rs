//! libFuzzer on one target, which the variable `FLOWTAG_FUZZ_TARGET` names. `cargo xtask fuzz` builds and runs this.
#![no_main]

use std::{env, sync::LazyLock};

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = env::var("FLOWTAG_FUZZ_TARGET").expect("FLOWTAG_FUZZ_TARGET names the target: use `cargo xtask fuzz`");
    flowtag_fuzz::target(&name).unwrap_or_else(|| panic!("there is no target {name}"))
});

fuzz_target!(|input: &[u8]| TARGET(input));
