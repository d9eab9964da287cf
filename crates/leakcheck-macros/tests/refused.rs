//! The messages of `#[leakcheck::test]` for arguments and functions that it refuses.
//!
//! Each file in `refused/` is compiled with the compiler alone and must give exactly the errors of
//! its `.stderr` file. Nothing else is built for that: code that is refused names no other crate.
//! `UPDATE_REFUSED=1` writes the `.stderr` files.
//!
//! Not here: what the attribute accepts (`tests/refused.rs` of leakcheck).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The library of this crate that the test was built with: the newest one beside the test.
fn macros() -> PathBuf {
    let test = env::current_exe().unwrap();
    let directory = test.parent().unwrap();
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap());
    let libraries = files.filter(|file| {
        let name = file.file_name().into_string().unwrap_or_default();
        let name = name.trim_start_matches(env::consts::DLL_PREFIX);
        name.starts_with("leakcheck_macros-") && name.ends_with(env::consts::DLL_SUFFIX)
    });
    let newest = libraries.max_by_key(|file| file.metadata().unwrap().modified().unwrap());
    newest.expect("cargo has built it for this test").path()
}

/// The errors of the compiler for a case, without its last lines, which count them.
fn errors(case: &Path, macros: &Path) -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata"])
        .args(["--color=never", "-Adead_code", "-o"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused.rmeta"))
        .arg("--extern")
        .arg(format!("leakcheck={}", macros.display()))
        .arg(case)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{} compiles", case.display());
    let errors = String::from_utf8(output.stderr).unwrap();
    let end = errors
        .find("\nerror: aborting due to")
        .unwrap_or(errors.len());
    errors[..end].to_owned()
}

#[test]
fn a_misuse_of_the_attribute_is_refused_with_a_sentence() {
    let macros = macros();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refused");
    let files = fs::read_dir(&directory).unwrap();
    let mut cases: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    cases.retain(|name| Path::new(name).extension().is_some_and(|end| end == "rs"));
    cases.sort();
    assert_eq!(cases.len(), 12, "{cases:?}");
    for case in cases {
        let found = errors(&Path::new("tests/refused").join(&case), &macros);
        let expected = directory.join(&case).with_extension("stderr");
        if env::var_os("UPDATE_REFUSED").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap();
        assert_eq!(found, expected, "{}", case.display());
    }
}
