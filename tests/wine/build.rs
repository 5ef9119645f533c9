//! Links the examples as kernel drivers.

fn main() {
    for argument in ["/DRIVER", "/SUBSYSTEM:NATIVE", "/ENTRY:DriverEntry", "/NODEFAULTLIB", "/RELEASE"] {
        println!("cargo::rustc-link-arg={argument}");
    }
}
