//! The pages in a real browser: Debian's Chromium, headless.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The page as the browser has it after its scripts have run. Fails on anything that a script or the policy complains of.
fn open(url: &str) -> String {
    let profile = std::env::temp_dir().join(format!("taskscope-chromium-{}", std::process::id()));
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args([
            "--enable-logging=stderr",
            "--virtual-time-budget=10000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(url)
        .output()
        .expect("chromium is installed: run scripts/setup");
    let _ = std::fs::remove_dir_all(profile);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let complaints: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(complaints.is_empty(), "{url}: {complaints:?}");
    String::from_utf8(output.stdout).expect("a page in UTF-8")
}

/// What the flame graph has to show.
#[inline(never)]
fn weigh_the_parcels(stop: &AtomicBool) -> u64 {
    let mut weight = 1_u64;
    while !stop.load(Ordering::Relaxed) {
        for parcel in 0..100_000_u64 {
            weight = std::hint::black_box(weight.wrapping_mul(31).wrapping_add(parcel));
        }
    }
    weight
}

#[test]
fn the_index_and_a_searched_flame_graph_work_in_a_browser() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = {
        let _inside = runtime.enter();
        taskprof::serve("127.0.0.1:0").unwrap()
    };
    runtime.block_on(async {
        drop(taskscope::spawn_named(
            "courier",
            tokio::time::sleep(Duration::from_secs(600)),
        ));
    });
    let base = format!("http://{}/debug/profile", server.local_addr());

    let index = open(&base);
    assert!(index.contains("Profiles of this process"), "{index}");
    assert!(
        index.contains("href=\"./profile/tasks?debug=1\""),
        "{index}"
    );

    let stop = Arc::new(AtomicBool::new(false));
    let busy = std::thread::spawn({
        let stop = stop.clone();
        move || weigh_the_parcels(&stop)
    });
    // The page's own script reads the search from the address, and says how much of the picture matches.
    let graph = open(&format!(
        "{base}/cpu?seconds=1&format=svg&s=weigh_the_parcels"
    ));
    stop.store(true, Ordering::Relaxed);
    busy.join().unwrap();
    assert!(graph.contains("browser::weigh_the_parcels"), "{graph}");
    assert!(graph.contains("Matched: "), "{graph}");
    assert!(graph.contains("Reset Search"), "{graph}");
}
