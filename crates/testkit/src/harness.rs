//! The main function of a test program without the standard harness (`harness = false`).
//!
//! It takes the arguments of libtest that `cargo test` and `cargo nextest` give, and runs the tests
//! one after the other on the main thread. A test fails by a panic, which ends the program.
//! Not here: a process for each test; nextest does that.

use std::time::Instant;

/// Runs the tests with these names that the arguments of the process choose, or lists them.
///
/// # Panics
///
/// If an argument is one that libtest has and this harness does not, so that no test is left out
/// silently.
#[allow(clippy::print_stdout, reason = "what a harness is for")]
pub fn run(names: &[&str], test: impl Fn(&str)) {
    let (mut filters, mut skipped) = (Vec::new(), Vec::new());
    let (mut list, mut exact, mut ignored) = (false, false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => list = true,
            "--exact" => exact = true,
            // No test of ours is one that is left out by default.
            "--ignored" => ignored = true,
            "--skip" => skipped.extend(arguments.next()),
            // They have a value, which changes nothing here.
            "--format" | "--test-threads" | "--color" | "-Z" | "--logfile" => {
                let _ = arguments.next();
            }
            "--nocapture" | "--no-capture" | "--include-ignored" | "--quiet" | "-q"
            | "--show-output" => {}
            filter if !filter.starts_with('-') => filters.push(argument),
            known if known.starts_with("--format=") || known.starts_with("--test-threads=") => {}
            unknown => panic!("the argument {unknown} is not known to this harness"),
        }
    }
    let matches = |name: &str, part: &String| {
        if exact {
            name == part
        } else {
            name.contains(part.as_str())
        }
    };
    let chosen = names.iter().filter(|name| {
        let wanted = filters.is_empty() || filters.iter().any(|part| matches(name, part));
        wanted && !ignored && !skipped.iter().any(|part| matches(name, part))
    });
    let mut count = 0;
    for name in chosen {
        count += 1;
        if list {
            println!("{name}: test");
            continue;
        }
        let begun = Instant::now();
        test(name);
        println!("test {name} ... ok, {:.1?}", begun.elapsed());
    }
    if !list {
        let left_out = names.len() - count;
        println!(
            "\ntest result: ok. {count} passed; 0 failed; 0 ignored; 0 measured; {left_out} filtered out"
        );
    }
}
