//! A real capture of a busy function, read by the real tools.

use std::time::Duration;

use taskprof::cpu::{self, Cpu};
#[cfg(feature = "pprof-rs")]
use taskprof::sampler::{PprofSampler, Sampler};
use taskprof::write::{self, RenderOptions};

use crate::busy::Busy;
use crate::go::{go_tool_pprof_ok, tmp_dir};
use crate::xml::xml_texts;
use crate::{block_on, my_turn};

#[test]
fn a_busy_function_is_found_by_every_reader_under_its_full_name() {
    let _turn = my_turn();
    let busy = Busy::start("grinder");
    let profile = block_on(cpu::capture(Duration::from_secs(1))).unwrap();
    drop(busy);
    // A hundred on a quiet machine; a busy one gives the function less.
    assert!(profile.total(0) >= 3, "{:?}", profile.comments);

    let folded = write::folded(&profile, Some("samples")).unwrap();
    let stacks: Vec<(Vec<String>, i64)> = folded
        .lines()
        .map(|line| write::parse_folded_line(line).unwrap())
        .collect();
    let (stack, at) = stacks
        .iter()
        .find_map(|(stack, _)| {
            let at = stack
                .iter()
                .position(|name| name.contains("Grinder<") && name.ends_with("::work"))?;
            Some((stack, at))
        })
        .unwrap_or_else(|| panic!("no such function in\n{folded}"));
    let name = &stack[at];
    assert!(name.starts_with('<') && name.contains(" as "), "{name}");
    assert!(
        stack[..at]
            .iter()
            .any(|caller| caller.contains("Busy::start")),
        "the caller is above it: {stack:?}"
    );

    // The profiler's own frames are cut off, and the interrupted function is the leaf.
    for part in ["sampler::linux::handler", "restore_rt", "0xffffffff"] {
        assert!(!folded.contains(part), "{part} in\n{folded}");
    }
    // Nor is the frame through which the kernel returns from the handler there: in a stripped libc
    // it has no name.
    assert!(
        stack[at..].iter().all(|callee| !callee.contains("+0x")),
        "{stack:?}"
    );
    let own: i64 = stacks
        .iter()
        .filter(|(stack, _)| stack.contains(name))
        .map(|(_, count)| count)
        .sum();
    assert!(own * 2 > profile.total(0), "most of the time: {folded}");

    // The title of a box is not shortened, its text is.
    let svg = write::svg(&profile, &RenderOptions::new().sample_type("samples")).unwrap();
    let shown = name.replace(';', "；");
    assert!(
        xml_texts(&svg)
            .iter()
            .any(|title| title.starts_with(&format!("{shown} ("))),
        "{shown} in the flame graph"
    );

    let dir = tmp_dir("cpu-real");
    let file = dir.join("cpu.pb.gz");
    std::fs::write(&file, write::pprof(&profile).unwrap()).unwrap();
    let file = file.to_str().unwrap();
    for view in ["-top", "-traces"] {
        let text = go_tool_pprof_ok(&[view, file], &dir);
        assert!(text.contains(name.as_str()), "{name} in {view}:\n{text}");
    }
    let raw = go_tool_pprof_ok(&["-raw", file], &dir);
    assert!(raw.contains("samples/count cpu/nanoseconds"), "{raw}");
    assert!(raw.contains("PeriodType: cpu nanoseconds"), "{raw}");
    assert!(raw.contains("thread:[grinder]"), "{raw}");
    let lines = go_tool_pprof_ok(&["-top", "-lines", file], &dir);
    assert!(lines.contains("busy.rs:"), "source lines: {lines}");
}

#[test]
fn a_frequency_that_the_sampler_cannot_honour_is_refused() {
    let _turn = my_turn();
    for hz in [i32::MIN, -1, 0, 1001] {
        let error = block_on(Cpu::new().hz(hz).seconds(1).capture()).unwrap_err();
        assert!(error.is_invalid_argument());
        assert_eq!(
            error.to_string(),
            format!("a sampling frequency of {hz} Hz is out of range; choose 1 to 1000")
        );
    }
}

#[cfg(feature = "pprof-rs")]
#[test]
fn the_sampler_of_the_pprof_crate_works_when_it_is_asked_for() {
    let _turn = my_turn();
    let busy = Busy::start("grinder");
    let cpu = Cpu::with_sampler(PprofSampler::new()).seconds(1);
    let profile = block_on(cpu.capture()).unwrap();
    drop(busy);
    let folded = write::folded(&profile, None).unwrap();
    assert!(folded.contains("Grinder<"), "{folded}");
    assert!(!folded.contains("perf_signal_handler"), "{folded}");
}

#[cfg(feature = "pprof-rs")]
#[test]
fn dropping_the_running_sampler_lets_the_next_one_start() {
    let _turn = my_turn();
    let sampler = PprofSampler::new();
    let running = sampler.start(99).unwrap();
    let error = sampler.start(99).err().unwrap();
    assert!(error.is_sampler());
    assert!(
        error.to_string().contains("SIGPROF has one owner"),
        "{error}"
    );
    drop(running);
    let collected = sampler.start(99).unwrap().collect(&mut |_| {}).unwrap();
    assert!(collected.cpu_time.is_some());
}
