//! `GET cpu`: three formats, one at a time, over when the client is gone.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::busy::Busy;
use crate::client::{get, request, send};
use crate::go::{go_tool_pprof, go_tool_pprof_ok, tmp_dir};
use crate::xml::xml_texts;
use crate::{my_turn, server};

const CPU: &str = "/debug/profile/cpu";

/// Asks for a long capture and returns when it is running: when another asker is refused.
fn long_capture(addr: SocketAddr) -> TcpStream {
    let stream = send(addr, "GET", &format!("{CPU}?seconds=300"), "localhost");
    loop {
        let answer = get(addr, &format!("{CPU}?seconds=1"));
        match answer.status {
            409 => return stream,
            // The long one was not there yet; it cannot have been refused, or it would have got an answer.
            200 => {
                stream.set_nonblocking(true).unwrap();
                let waiting = stream.peek(&mut [0]).unwrap_err();
                assert_eq!(waiting.kind(), std::io::ErrorKind::WouldBlock);
            }
            status => panic!("{status}: {}", answer.text()),
        }
    }
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
fn a_second_asker_gets_409_and_a_sentence() {
    let _turn = my_turn();
    let server = server();
    let _running = long_capture(server.local_addr());
    let answer = get(server.local_addr(), &format!("{CPU}?seconds=1&format=svg"));
    assert_eq!(answer.status, 409);
    assert_eq!(
        answer.sentence(),
        "a CPU capture is already running in this process; ask again when it has ended"
    );
}

#[test]
fn a_client_that_goes_away_ends_its_capture() {
    let _turn = my_turn();
    let server = server();
    let running = long_capture(server.local_addr());
    let gone = Instant::now();
    drop(running);
    // The event to wait for is that somebody else is served; the abandoned capture has minutes to go.
    loop {
        let answer = get(server.local_addr(), &format!("{CPU}?seconds=1"));
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.status, 409);
        assert!(
            gone.elapsed() < Duration::from_secs(60),
            "the capture goes on"
        );
    }
}

#[test]
fn stopping_the_server_abandons_a_running_capture() {
    let _turn = my_turn();
    let first = server();
    let _running = long_capture(first.local_addr());
    drop(first);
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
    // While this one runs, a capture would be refused.
    let _running = long_capture(server.local_addr());
    let answer = request(server.local_addr(), "HEAD", CPU);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert!(answer.body.is_empty());
    let answer = request(server.local_addr(), "HEAD", &format!("{CPU}?seconds=0"));
    assert_eq!(answer.status, 400);
}
