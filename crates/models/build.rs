//! Switches the files of `taskscope` that are compiled here to loom.

fn main() {
    println!("cargo::rustc-cfg=taskscope_loom");
    println!("cargo::rerun-if-changed=build.rs");
}
