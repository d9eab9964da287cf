//! The list of modules, for the mappings of a profile.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used)]

use callstack::modules;

#[test]
fn the_main_program_is_first_with_its_real_path_and_contains_this_function() {
    let here =
        the_main_program_is_first_with_its_real_path_and_contains_this_function as fn() as usize;
    let modules = modules();
    let main = &modules[0];
    assert_eq!(
        *main.path,
        *std::env::current_exe().unwrap().to_str().unwrap()
    );
    assert!(main.start <= here && here < main.end);
    // The address that it has in the file.
    let symbols = std::process::Command::new("nm")
        .arg(&*main.path)
        .output()
        .unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let in_file = format!("{:016x} ", here - main.base);
    let line = symbols.lines().find(|line| line.starts_with(&in_file));
    assert!(
        line.unwrap().contains("the_main_program_is_first"),
        "{line:?}"
    );
}

#[test]
fn the_list_agrees_with_the_kernel() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let modules = modules();
    assert!(modules.len() >= 3, "{modules:#?}");
    for module in modules.iter() {
        let range = format!(
            "{:x}-{:x} r-xp {:08x} ",
            module.start, module.end, module.file_offset
        );
        let line = maps.lines().find(|line| line.starts_with(&range));
        let line = line.unwrap_or_else(|| panic!("{range} is not in {maps}"));
        // The loader may know a file by a symbolic link.
        let Ok(real) = std::fs::canonicalize(&*module.path) else {
            assert!(line.ends_with("[vdso]"), "{line}: {module:?}");
            continue;
        };
        assert!(line.ends_with(real.to_str().unwrap()), "{line}: {module:?}");
    }
    assert!(modules[1..].is_sorted_by_key(|module| module.start));
}

#[test]
fn a_build_id_is_lower_case_hex() {
    let modules = modules();
    // The C library at least has one; distributions build with it.
    let libc = modules
        .iter()
        .find(|module| module.path.contains("libc.so"))
        .unwrap();
    assert_eq!(libc.build_id.len(), 40);
    let mut compared = 0;
    for module in modules.iter() {
        assert!(
            module
                .build_id
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        let notes = std::process::Command::new("readelf")
            .args(["-n", &module.path])
            .output()
            .unwrap();
        // Under an emulator, the libraries are somewhere else than their paths say.
        if !notes.status.success() && module.path.starts_with('/') {
            continue;
        }
        compared += usize::from(module.path.starts_with('/'));
        let notes = String::from_utf8_lossy(&notes.stdout).into_owned();
        if let Some((_, id)) = notes.split_once("Build ID: ") {
            assert_eq!(
                id.split_whitespace().next(),
                Some(&*module.build_id),
                "{}",
                module.path
            );
        } else {
            assert!(
                module.build_id.is_empty() || !module.path.starts_with('/'),
                "{}",
                module.path
            );
        }
    }
    // The program that runs, at least.
    assert!(compared > 0);
}
