//! Frames of the runtime at the root of a stack: one by default, all on request, and never one of
//! the program's.

use std::time::Duration;

use taskprof::Profile;
use taskprof::cpu::Cpu;
use taskprof::profile::RUNTIME;
use taskprof::write::{self, Format, RenderOptions, parse_folded_line};

use crate::go::{go_tool_pprof_ok, tmp_dir};
use crate::tasks::{Service, burn};
use crate::xml::xml_texts;
use crate::{block_on, my_turn};

/// Stacks with the function that uses the processor, root first.
fn busy_stacks(profile: &Profile) -> Vec<Vec<String>> {
    let folded = write::folded(profile, None).unwrap();
    let stacks = folded
        .lines()
        .map(|line| parse_folded_line(line).unwrap().0);
    stacks
        .filter(|stack| stack.iter().any(|name| name.ends_with("tasks::burn")))
        .collect()
}

#[test]
fn the_program_follows_one_frame_of_the_runtime_in_every_format() {
    let _turn = my_turn();
    let service = Service::start();
    let cpu = Cpu::new().hz(500).seconds(1);
    let profile = block_on(cpu.clone().capture()).unwrap();
    let full = block_on(cpu.full_runtime().capture()).unwrap();
    drop(service);

    // Two routes, an untracked task, a blocking call, a thread.
    let stacks = busy_stacks(&profile);
    assert!(stacks.len() >= 4, "{stacks:?}");
    for stack in &stacks {
        assert_eq!(stack[0], RUNTIME, "{stack:?}");
        assert!(
            stack[1].starts_with("cpu::tasks::Service::start"),
            "{stack:?}"
        );
    }
    assert!(
        profile
            .comments
            .iter()
            .any(|it| it.contains("runtime=full"))
    );
    for stack in busy_stacks(&full) {
        assert_ne!(stack[0], RUNTIME, "{stack:?}");
        let begins = |path: &str| stack.iter().any(|name| name.contains(path));
        assert!(
            begins("std::thread::") && begins("cpu::tasks::Service::start"),
            "{stack:?}"
        );
    }
    assert!(!full.comments.iter().any(|it| it.contains("runtime=full")));

    let text = write::text(&profile, &RenderOptions::new()).unwrap();
    assert!(text.contains("#\t0x0\truntime\n"), "{text}");
    let svg = write::svg(&profile, &RenderOptions::new()).unwrap();
    assert!(
        xml_texts(&svg)
            .iter()
            .any(|box_| box_.starts_with("runtime ("))
    );
    let dir = tmp_dir("cpu-runtime");
    let file = dir.join("cpu.pb.gz");
    std::fs::write(&file, write::pprof(&profile).unwrap()).unwrap();
    let top = go_tool_pprof_ok(&["-top", "-cum", file.to_str().unwrap()], &dir);
    assert!(top.lines().any(|line| line.ends_with("  runtime")), "{top}");
    for format in ["json", "traces", "speedscope", "icicle"] {
        let written = (Format::named(format).unwrap().write)(&profile, &RenderOptions::new());
        let written = String::from_utf8(written.unwrap()).unwrap();
        assert!(written.contains("runtime"), "{format}");
    }
}

#[test]
fn a_future_of_tokios_that_was_spawned_alone_stays_in_sight() {
    let _turn = my_turn();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    // A task that is nothing but tokio's own future, woken all the time.
    let ticks = async {
        loop {
            tokio::time::sleep(Duration::from_micros(1)).await;
            tokio::task::yield_now().await;
        }
    };
    let task = runtime.spawn(tokio::task::unconstrained(ticks));
    let polls = |line: &str| line.starts_with("runtime;") && line.contains("tokio::time::sleep");
    // It uses little of a processor, and less on a machine with other work: few samples a second.
    let mut folded = String::new();
    let is_in_sight = (0..20).any(|_| {
        let profile = block_on(Cpu::new().hz(999).seconds(1).capture()).unwrap();
        folded = write::folded(&profile, None).unwrap();
        folded.lines().any(polls)
    });
    task.abort();
    burn(Duration::from_millis(1));
    assert!(is_in_sight, "{folded}");
}
