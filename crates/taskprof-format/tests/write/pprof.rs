//! pprof: what the real `go tool pprof` makes of our files.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use taskprof_format::profile::{Frame, Label, Profile, Sample, SampleType};

use crate::go::{go_tool_pprof_ok, tmp_dir};

fn write(name: &str, profile: &Profile) -> (PathBuf, String) {
    let dir = tmp_dir(name);
    let file = dir.join("profile.pb.gz");
    let bytes = taskprof_format::write::pprof(profile).unwrap();
    assert_eq!(bytes[..2], [0x1f, 0x8b], "gzip");
    std::fs::write(&file, bytes).unwrap();
    (dir, file.to_str().unwrap().to_owned())
}

fn tasks() -> Profile {
    let mut profile = Profile::new([
        SampleType::new("tasks", "count"),
        SampleType::new("waiting", "nanoseconds"),
    ]);
    profile.default_sample_type = Some("tasks".into());
    profile.period_type = Some(SampleType::new("tasks", "count"));
    profile.period = 1;
    profile.duration = Duration::from_secs(2);
    profile
        .comments
        .push("3 tasks could not be seen".to_owned());
    profile.samples.push(Sample {
        stack: vec![
            Frame::named("<tokio::sync::Mutex<T> as core::fmt::Debug>::fmt"),
            Frame::Named {
                name: Arc::from("spawned here: app::main::{{closure}}"),
                file: Some(Arc::from("src/main.rs")),
                line: Some(42),
            },
        ],
        values: vec![3, 1_500_000_000],
        labels: vec![
            Label::str("route", "GET /a"),
            Label::num("age", 90, "seconds"),
        ],
    });
    profile.samples.push(Sample {
        stack: vec![],
        values: vec![1, 0],
        labels: vec![],
    });
    profile
}

// A `system_name` equal to the name makes the tool show `::fmt`.
#[test]
fn go_tool_pprof_shows_rust_names_whole() {
    let (dir, file) = write("pprof-names", &tasks());
    let top = go_tool_pprof_ok(&["-top", &file], &dir);
    assert!(
        top.contains("<tokio::sync::Mutex<T> as core::fmt::Debug>::fmt"),
        "{top}"
    );
    assert!(
        top.contains("spawned here: app::main::{{closure}}"),
        "{top}"
    );
    assert!(top.contains("Type: tasks"), "the default column: {top}");
    assert!(top.contains("Duration: 2s"), "{top}");
}

#[test]
fn go_tool_pprof_sees_labels_units_lines_and_comments() {
    let (dir, file) = write("pprof-details", &tasks());
    let raw = go_tool_pprof_ok(&["-raw", &file], &dir);
    assert!(
        raw.contains("tasks/count[dflt] waiting/nanoseconds"),
        "{raw}"
    );
    assert!(raw.contains("PeriodType: tasks count"), "{raw}");
    assert!(raw.contains("src/main.rs:42"), "{raw}");
    assert!(raw.contains("route:[GET /a]"), "{raw}");
    assert!(raw.contains("age:[90 seconds]"), "{raw}");
    let comments = go_tool_pprof_ok(&["-comments", &file], &dir);
    assert!(comments.contains("3 tasks could not be seen"), "{comments}");
    let focused = go_tool_pprof_ok(&["-top", "-tagfocus=age=60s:100s", &file], &dir);
    assert!(focused.contains("Mutex<T>"), "{focused}");
    let traces = go_tool_pprof_ok(&["-traces", "-sample_index=waiting", &file], &dir);
    assert!(traces.contains("1.50s"), "{traces}");
}

#[test]
fn a_profile_without_samples_keeps_its_types() {
    let mut profile = tasks();
    profile.samples.clear();
    let (dir, file) = write("pprof-empty", &profile);
    let raw = go_tool_pprof_ok(&["-raw", &file], &dir);
    assert!(
        raw.contains("tasks/count[dflt] waiting/nanoseconds"),
        "{raw}"
    );
}

#[inline(never)]
fn an_address() -> usize {
    // The address of code in this very binary: somewhere behind the entry of this function.
    an_address as fn() -> usize as usize + 2
}

#[test]
fn an_address_is_one_location_however_often_it_is_used() {
    let mut profile = Profile::new([SampleType::new("samples", "count")]);
    for _ in 0..3 {
        profile.samples.push(Sample {
            stack: vec![Frame::Address(an_address()), Frame::Address(0x11)],
            values: vec![1],
            labels: vec![],
        });
    }
    let (dir, file) = write("pprof-address", &profile);
    let raw = go_tool_pprof_ok(&["-raw", &file], &dir);
    let (_, locations) = raw.split_once("Locations\n").unwrap();
    let (locations, mappings) = locations.split_once("Mappings\n").unwrap();
    let ids: HashSet<&str> = locations
        .lines()
        .filter_map(|line| line.split_once(": ").map(|(id, _)| id.trim()))
        .filter(|id| id.parse::<u64>().is_ok())
        .collect();
    assert_eq!(ids.len(), 2, "{raw}");
    // Inside the instruction: the captured address minus one.
    assert!(
        locations.contains(&format!("{:#x} ", an_address() - 1)),
        "{raw}"
    );
    assert!(locations.contains("an_address"), "{raw}");
    assert!(
        locations.contains("0x10"),
        "an unknown address is shown: {raw}"
    );
    let comments = go_tool_pprof_ok(&["-comments", &file], &dir);
    assert!(
        comments.contains("1 of 2 addresses have no symbol"),
        "{comments}"
    );
    // The main program first, and the client told not to symbolise by itself. Of the others nothing
    // is known.
    if !callstack::modules().is_empty() {
        let mut mappings = mappings.lines().filter(|line| line.contains(": 0x"));
        let main = mappings.next().unwrap();
        assert!(main.contains("/write-"), "{main}");
        assert!(main.contains("[FN][FL][LN]"), "{main}");
        assert!(mappings.all(|other| !other.contains('[')), "{raw}");
    }
}

/// Where the copy of this program writes its profile, if it is that copy.
const PROFILE_OF_COPY: &str = "TASKPROF_TEST_PROFILE_OF_COPY";

macro_rules! sixteen_times {
    ($($code:tt)*) => { $($code)* $($code)* $($code)* $($code)* $($code)* $($code)* $($code)* $($code)*
        $($code)* $($code)* $($code)* $($code)* $($code)* $($code)* $($code)* $($code)* };
}

/// Larger than a page. Go up to 1.19 takes an address for one that lies further on, by as much as
/// the program's code begins behind the start of a page, which is so in all that lld has linked.
#[inline(never)]
fn large() -> usize {
    use std::hint::black_box;
    sixteen_times! { sixteen_times! { black_box(large as fn() -> usize); black_box(2); } }
    large as fn() -> usize as usize + 2
}

/// A profile of a stripped program, and of the same one with nothing but the symbol table.
#[test]
fn go_tool_pprof_names_the_addresses_of_a_stripped_program_by_the_whole_one() {
    if let Some(file) = std::env::var_os(PROFILE_OF_COPY) {
        let mut profile = Profile::new([SampleType::new("samples", "count")]);
        profile.samples.push(Sample {
            stack: vec![Frame::Address(large())],
            values: vec![1],
            labels: vec![],
        });
        std::fs::write(file, taskprof_format::write::pprof(&profile).unwrap()).unwrap();
        return;
    }
    if callstack::modules().is_empty() {
        return;
    }
    let dir = tmp_dir("pprof-stripped");
    let whole = std::env::current_exe().unwrap();
    let whole_path = whole.to_str().unwrap();
    for (option, flags) in [("--strip-all", ""), ("--strip-debug", "[FN]")] {
        let copy = dir.join("copy");
        let strip = Command::new("strip")
            .args([option, "-o"])
            .args([&copy, &whole])
            .status();
        assert!(strip.unwrap().success());
        let file = dir.join("profile.pb.gz");
        let ran = Command::new(&copy)
            .args(["--exact", &test_name()])
            .env(PROFILE_OF_COPY, &file)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        let file = file.to_str().unwrap();

        let raw = go_tool_pprof_ok(&["-raw", "-symbolize=none", file], &dir);
        let (_, mappings) = raw.split_once("Mappings\n").unwrap();
        let main = mappings
            .lines()
            .find(|line| line.contains("/copy"))
            .unwrap();
        let told = main.find('[').map_or("", |at| &main[at..]);
        assert_eq!(told.trim(), flags, "{main}");
        assert_eq!(raw.contains("copy+0x"), flags.is_empty(), "{raw}");

        if flags.is_empty() {
            let offset = &raw[raw.find("copy+0x").unwrap() + "copy+".len()..];
            let offset = offset.split_whitespace().next().unwrap();
            let named = Command::new("addr2line")
                .args(["-f", "-C", "-e", whole_path, offset])
                .output()
                .unwrap();
            let named = String::from_utf8(named.stdout).unwrap();
            assert!(named.contains("write::pprof::large"), "{offset}: {named}");
            let raw = go_tool_pprof_ok(&["-raw", whole_path, file], &dir);
            assert!(raw.contains(" large "), "{raw}");
            assert!(raw.contains("tests/write/pprof.rs:"), "{raw}");
        }
    }
}

/// As the test harness calls the test that this thread runs.
fn test_name() -> String {
    std::thread::current().name().unwrap().to_owned()
}

#[test]
fn go_tool_pprof_compares_our_profiles_and_agrees_with_our_difference() {
    let before = tasks();
    let mut after = tasks();
    after.samples[0].values = vec![8, 2_000_000_000];
    after.samples.push(Sample {
        stack: vec![Frame::named("new::work")],
        values: vec![2, 0],
        labels: vec![],
    });
    let (dir, after_file) = write("pprof-after", &after);
    let (_, before_file) = write("pprof-before", &before);
    let base = format!("-base={before_file}");
    let theirs = go_tool_pprof_ok(&["-traces", &base, &after_file], &dir);
    let (_, ours_file) = write("pprof-difference", &after.difference(&before).unwrap());
    let ours = go_tool_pprof_ok(&["-traces", &ours_file], &dir);
    let body = |text: &str| {
        let (_, body) = text.split_once("-----------+").unwrap();
        body.to_owned()
    };
    assert_eq!(body(&ours), body(&theirs));
    assert!(ours.contains("new::work"), "{ours}");
    let top = go_tool_pprof_ok(
        &["-top", &format!("-diff_base={before_file}"), &after_file],
        &dir,
    );
    assert!(top.contains("new::work"), "{top}");
    let tags = go_tool_pprof_ok(&["-tags", &after_file], &dir);
    assert!(tags.contains("GET /a") && tags.contains("90s"), "{tags}");
}

#[test]
fn of_several_labels_with_one_key_the_last_is_written() {
    let mut profile = tasks();
    profile.samples[0].labels = vec![
        Label::str("route", "first"),
        Label::num("age", 1, "seconds"),
        Label::str("route", "last"),
    ];
    let (dir, file) = write("pprof-keys", &profile);
    let raw = go_tool_pprof_ok(&["-raw", &file], &dir);
    assert!(raw.contains("route:[last]"), "{raw}");
    assert!(!raw.contains("first"), "{raw}");
    profile.aggregate();
    assert_eq!(profile.samples[0].labels.len(), 2);
    let (dir, file) = write("pprof-keys-aggregated", &profile);
    let raw = go_tool_pprof_ok(&["-raw", &file], &dir);
    assert!(raw.contains("route:[last]"), "{raw}");
}

#[test]
fn the_column_asked_for_is_the_one_that_go_tool_pprof_shows() {
    let dir = tmp_dir("pprof-look");
    let file = dir.join("profile.pb.gz");
    let look = taskprof_format::write::RenderOptions::new().sample_type("waiting");
    let format = taskprof_format::write::Format::named("pprof").unwrap();
    std::fs::write(&file, (format.write)(&tasks(), &look).unwrap()).unwrap();
    let top = go_tool_pprof_ok(&["-top", file.to_str().unwrap()], &dir);
    assert!(top.contains("Type: waiting"), "{top}");
}
