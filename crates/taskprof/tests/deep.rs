//! Tests tasks that are suspended more than a thousand frames deep: the leaf is there, the root is
//! missing, and every format says so.
#![allow(missing_docs, reason = "tests")]

use std::pin::Pin;
use std::time::{Duration, Instant};

use taskprof::Profile;
use taskprof::profile::Frame;
use taskprof::write::{FORMATS, RenderOptions};
use tokio::sync::oneshot;

const CUT: &str = "(stack cut here: deeper than 1,024 frames)";

/// Boxed recursion, so that each level has frames of its own in every build.
fn descend(levels: usize, end: oneshot::Receiver<()>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match levels {
            0 => drop(end.await),
            _ => descend(levels - 1, end).await,
        }
    })
}

fn name(frame: &Frame) -> &str {
    match frame {
        Frame::Named { name, .. } => name,
        Frame::Address(_) => "",
    }
}

/// The roots of the stacks with this leaf, outermost first.
fn roots(profile: &Profile) -> Vec<[&str; 2]> {
    let samples = profile.samples.iter();
    let ours = samples.filter(|sample| {
        let leaf = sample.stack.first().map_or("", name);
        leaf.contains("oneshot::Receiver") && sample.stack.len() > 50
    });
    ours.map(|sample| {
        let mut roots = sample.stack.iter().rev().map(name);
        [(); 2].map(|()| roots.next().unwrap_or_default())
    })
    .collect()
}

#[test]
fn a_stack_of_a_thousand_frames_is_cut_at_the_root_and_every_format_says_so() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    taskscope::sampling::start();
    let mut open = Vec::new();
    for levels in [100, 1200] {
        let (sender, end) = oneshot::channel();
        open.push(sender);
        let _inside = runtime.enter();
        drop(taskscope::spawn_named(
            format!("{levels} levels"),
            descend(levels, end),
        ));
    }
    let ask = |name: &str| {
        let source = taskprof::source::named(name).unwrap();
        runtime.block_on(source.request().capture()).unwrap()
    };
    // Both are suspended by then; the control is not cut.
    let begun = Instant::now();
    let tasks = loop {
        let tasks = ask("tasks");
        if roots(&tasks).len() == 2 || begun.elapsed() > Duration::from_secs(60) {
            break tasks;
        }
    };
    let mut found = roots(&tasks);
    found.sort_unstable_by_key(|roots| roots[1] != CUT);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0][1], CUT);
    assert!(found[1][1].contains("descend"), "{found:?}");
    for [root, _] in found {
        assert!(root.starts_with("spawned at "), "{root}");
    }

    for format in FORMATS.iter().filter(|format| format.name != "pprof") {
        let text = (format.write)(&tasks, &RenderOptions::new()).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(CUT), "{}", format.name);
        // The leaf is the future that is waited for.
        assert!(text.contains("oneshot::Receiver"), "{}", format.name);
    }
    let dump = taskscope::DumpOptions::new().capture_blocking();
    for (write, of) in [
        (
            taskprof::tasks::grouped as fn(&_, &mut dyn std::io::Write) -> _,
            "grouped",
        ),
        (taskprof::tasks::listed, "listed"),
        (taskprof::tasks::json, "json"),
    ] {
        let mut text = Vec::new();
        write(&dump, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let said = ["cut at the root in 1 branches", "\"branches_cut\": 1"];
        assert!(said.iter().any(|said| text.contains(said)), "{of}: {text}");
    }

    // The same of what is summed up while it waits.
    loop {
        let block = ask("block");
        if roots(&block).iter().any(|roots| roots[1] == CUT) {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "{:?}",
            roots(&block)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(open);
}
