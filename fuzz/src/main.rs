//! libFuzzer on one target, which the variable `FLOWTAG_FUZZ_TARGET` names. `cargo xtask fuzz` builds and runs this.
//!
//! Before it begins, it writes the target's seeds into the folder that `FLOWTAG_FUZZ_SEEDS` names, if that is set.
#![no_main]

use std::{env, fs, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = name();
    flowtag_fuzz::target(&name).unwrap_or_else(|| panic!("there is no target {name}"))
});

fn name() -> String {
    env::var("FLOWTAG_FUZZ_TARGET").expect("FLOWTAG_FUZZ_TARGET names the target: use `cargo xtask fuzz`")
}

fn write_seeds() {
    let Some(folder) = env::var_os("FLOWTAG_FUZZ_SEEDS").map(PathBuf::from) else { return };
    for (number, seed) in flowtag_fuzz::seeds(&name()).iter().enumerate() {
        fs::write(folder.join(number.to_string()), seed).expect("a seed is written");
    }
}

fuzz_target!(init: write_seeds(), |input: &[u8]| TARGET(input));
