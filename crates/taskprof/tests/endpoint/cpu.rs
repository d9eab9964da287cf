//! `GET cpu`: every format, shared with others, over when the last client is gone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::busy::Busy;
use crate::client::{get, request, send};
use crate::go::{go_tool_pprof, go_tool_pprof_ok, tmp_dir};
use crate::xml::xml_texts;
use crate::{my_turn, server};

const CPU: &str = "/debug/profile/cpu";

/// Asks for a long capture and returns when it is running: when the profiler's thread is there.
fn long_capture(addr: SocketAddr) -> TcpStream {
    let stream = send(addr, "GET", &format!("{CPU}?seconds=300"), "localhost");
    await_sampling(true);
    stream
}

/// Waits until the thread that samples is there, or gone.
fn await_sampling(is_there: bool) {
    let asked = Instant::now();
    loop {
        let threads = get_threads();
        if threads.iter().any(|name| name == "taskprof-cpu") == is_there {
            return;
        }
        assert!(asked.elapsed() < Duration::from_secs(60), "{threads:?}");
        std::thread::yield_now();
    }
}

fn get_threads() -> Vec<String> {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

#[test]
fn a_capture_is_answered_as_a_pprof_file_that_go_reads() {
    let _turn = my_turn();
    let _busy = Busy::start("grinder");
    let server = server();
    let answer = get(server.local_addr(), &format!("{CPU}?seconds=1"));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"cpu.pb.gz\"")
    );
    let dir = tmp_dir("endpoint-cpu");
    let file = dir.join("cpu.pb.gz");
    std::fs::write(&file, &answer.body).unwrap();
    let top = go_tool_pprof_ok(&["-top", file.to_str().unwrap()], &dir);
    assert!(top.contains("busy::Grinder<[u64; 4]> as "), "{top}");
}

#[test]
fn go_fetches_a_capture_by_itself_and_shows_our_refusals() {
    let _turn = my_turn();
    let _busy = Busy::start("grinder");
    let server = server();
    let url = |query: &str| format!("http://{}{CPU}?{query}", server.local_addr());
    let dir = tmp_dir("endpoint-fetch");
    let top = go_tool_pprof_ok(&["-top", &url("seconds=1")], &dir);
    assert!(top.contains("busy::Grinder<[u64; 4]> as "), "{top}");

    let refused = go_tool_pprof(&["-top", &url("seconds=301")], &dir);
    assert!(!refused.status.success());
    let shown = String::from_utf8_lossy(&refused.stderr);
    assert!(
        shown.contains("parameter seconds must be a whole number from 1 to 300, not \"301\""),
        "{shown}"
    );
}

#[test]
fn a_flame_graph_takes_the_parameters_of_its_own_script() {
    let _turn = my_turn();
    let _busy = Busy::start("grinder");
    let server = server();
    let path = format!("{CPU}?seconds=1&format=svg&x=12.5&y=100&s=foo");
    let answer = get(server.local_addr(), &path);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("image/svg+xml"));
    assert_eq!(answer.header("content-disposition"), Some("inline"));
    let titles = xml_texts(answer.text());
    assert!(
        titles
            .iter()
            .any(|title| title.contains("busy::Grinder<[u64； 4]> as ")),
        "{titles:?}"
    );
}

#[test]
fn folded_text_is_plain_text() {
    let _turn = my_turn();
    let _busy = Busy::start("grinder");
    let server = server();
    let answer = get(
        server.local_addr(),
        &format!("{CPU}?seconds=1&format=folded"),
    );
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(
        answer.text().contains("busy::Grinder<[u64； 4]> as "),
        "{}",
        answer.text()
    );
}

#[test]
fn a_flame_graph_by_route_and_one_of_all_threads_are_a_parameter_away() {
    let _turn = my_turn();
    let _busy = Busy::start("grinder");
    let server = server();
    let folded = |query: &str| {
        let path = format!("{CPU}?seconds=1&format=folded&{query}");
        let answer = get(server.local_addr(), &path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().to_owned()
    };
    let by_route = folded("by=route&hz=500");
    assert!(
        by_route
            .lines()
            .any(|line| line.starts_with("(no route: other);")),
        "{by_route}"
    );
    let wall = folded("mode=wall");
    assert!(wall.contains("(blocked in "), "{wall}");
}

#[test]
fn the_past_is_refused_with_the_way_to_have_it_and_then_answered_at_once() {
    let _turn = my_turn();
    let _busy = Busy::start("grinder");
    let server = server();
    let past = || {
        get(
            server.local_addr(),
            &format!("{CPU}?ago=60&seconds=60&format=folded"),
        )
    };
    let answer = past();
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert!(
        answer.text().contains("taskprof::cpu().always_on()"),
        "{}",
        answer.text()
    );

    taskprof::cpu().hz(500).always_on().unwrap();
    let asked = Instant::now();
    while !past().text().contains("Grinder<") {
        assert!(asked.elapsed() < Duration::from_secs(60));
    }
    // And the first page tells of it.
    let page = get(server.local_addr(), "/debug/profile");
    assert!(page.text().contains("CPU by route</h2>"), "{}", page.text());
    let metrics = get(server.local_addr(), "/debug/profile/metrics");
    let text = metrics.text();
    assert!(text.contains("taskscope_cpu_sampling_enabled 1"), "{text}");
    assert!(
        text.contains("taskscope_unscoped_cpu_seconds_total "),
        "{text}"
    );
    taskprof::cpu::stop_always_on();
}

// A scraper that profiles all day leads to this.
#[test]
fn a_second_asker_is_served_while_another_capture_runs() {
    let _turn = my_turn();
    let _busy = Busy::start("grinder");
    let server = server();
    let _running = long_capture(server.local_addr());
    for query in ["/cpu?seconds=1&format=folded", "/profile?seconds=1"] {
        let answer = get(server.local_addr(), &format!("/debug/profile{query}"));
        assert_eq!(answer.status, 200, "{query}");
        assert!(!answer.body.is_empty());
    }
}

#[test]
fn a_client_that_goes_away_ends_its_capture() {
    let _turn = my_turn();
    let server = server();
    let running = long_capture(server.local_addr());
    drop(running);
    // The event to wait for; the abandoned capture has minutes to go.
    await_sampling(false);
}

#[test]
fn a_browser_that_leaves_the_page_ends_its_capture() {
    let _turn = my_turn();
    let server = server();
    let mut page = TcpStream::connect(server.local_addr()).unwrap();
    write!(
        page,
        "GET {CPU}?seconds=300&format=svg HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n"
    )
    .unwrap();
    await_sampling(true);
    // The page is there before the capture is, and says how far it is.
    let mut shown = String::new();
    let mut lines = BufReader::new(&page).lines();
    while !shown.contains("<style>#done{width:") {
        shown.push_str(&lines.next().unwrap().unwrap());
    }
    assert!(shown.contains("Capturing cpu for 300 s"), "{shown}");
    drop(lines);
    drop(page);
    await_sampling(false);
}

#[test]
fn stopping_the_server_abandons_a_running_capture() {
    let _turn = my_turn();
    let first = server();
    let _running = long_capture(first.local_addr());
    drop(first);
    await_sampling(false);
    let second = server();
    let answer = get(
        second.local_addr(),
        &format!("{CPU}?seconds=1&format=folded"),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn head_answers_headers_without_a_capture() {
    let _turn = my_turn();
    let server = server();
    let answer = request(server.local_addr(), "HEAD", &format!("{CPU}?seconds=300"));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert!(answer.body.is_empty());
    let answer = request(server.local_addr(), "HEAD", &format!("{CPU}?seconds=0"));
    assert_eq!(answer.status, 400);
}
