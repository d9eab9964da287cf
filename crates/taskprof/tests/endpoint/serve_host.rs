//! Which hosts a request may name: DNS rebinding.

use std::net::SocketAddr;

use crate::client::{Sentence as _, exchange};
use crate::{served, server};

const REFUSED: &str = "this server answers only to localhost and loopback addresses; the Host header of the request names another";

fn ask(addr: SocketAddr, line: &str, hosts: &[&str]) -> (u16, String) {
    let mut request = format!("{line}\r\nConnection: close\r\n");
    for host in hosts {
        request.push_str(&format!("Host: {host}\r\n"));
    }
    request.push_str("\r\n");
    let answer = exchange(addr, request.as_bytes());
    let sentence = if answer.status < 400 {
        String::new()
    } else {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        answer.sentence().to_owned()
    };
    (answer.status, sentence)
}

const INDEX: &str = "GET /debug/profile HTTP/1.1";

#[test]
fn names_and_addresses_of_this_machine_are_answered_in_every_spelling_of_a_browser() {
    let server = server();
    for host in [
        "localhost",
        "LocalHost",
        "localhost.",
        "localhost:6061",
        "localhost:",
        "127.0.0.1",
        "127.255.255.254:1",
        "[::1]",
        "[::1]:65535",
        "[0:0:0:0:0:0:0:1]:80",
    ] {
        assert_eq!(ask(server.local_addr(), INDEX, &[host]).0, 200, "{host}");
    }
}

#[test]
fn every_other_host_is_refused() {
    let server = server();
    for host in [
        "evil.example",
        "localhost.evil.example",
        "evil.localhost",
        "127.0.0.1.evil.example",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::1",
        "[::1]evil.example",
        "[::1%25lo]",
        "::1",
        "localhost@evil.example",
        "evil.example@localhost",
        "user:password@localhost",
        "localhost:80@evil.example",
        "localhost, evil.example",
        "localhost:65536",
        "localhost:+80",
        "localhost:8o",
        "localhost..",
        ".localhost",
        "local%68ost",
        "http://localhost",
        "localhost/",
        "localhost#",
        "",
        ".",
        ":80",
        "ｌocalhost",
    ] {
        let (status, sentence) = ask(server.local_addr(), INDEX, &[host]);
        assert_eq!((status, &*sentence), (403, REFUSED), "{host:?}");
    }
}

#[test]
fn a_request_line_that_names_a_host_is_checked_as_well() {
    let server = server();
    let addr = server.local_addr();
    for (line, host, status) in [
        ("http://localhost/debug/profile", "localhost", 200),
        ("http://127.0.0.1:80/debug/profile", "localhost", 200),
        ("http://evil.example/debug/profile", "localhost", 403),
        ("http://localhost/debug/profile", "evil.example", 403),
        (
            "http://localhost@evil.example/debug/profile",
            "localhost",
            403,
        ),
        (
            "http://evil.example@localhost/debug/profile",
            "localhost",
            403,
        ),
    ] {
        let got = ask(addr, &format!("GET {line} HTTP/1.1"), &[host]);
        assert_eq!(got.0, status, "{line} {host}");
    }
}

#[test]
fn http_1_1_names_one_host_and_http_1_0_need_not() {
    let server = server();
    let addr = server.local_addr();
    let (status, sentence) = ask(addr, INDEX, &[]);
    assert_eq!(status, 400);
    assert_eq!(
        sentence,
        "the request has no Host header; HTTP/1.1 demands one"
    );
    for hosts in [["localhost", "evil.example"], ["localhost", "localhost"]] {
        let (status, sentence) = ask(addr, INDEX, &hosts);
        assert_eq!(status, 400);
        assert_eq!(sentence, "the request has more than one Host header");
    }
    let old = "GET /debug/profile HTTP/1.0";
    assert_eq!(ask(addr, old, &[]).0, 200);
    assert_eq!(ask(addr, old, &["localhost"]).0, 200);
    assert_eq!(ask(addr, old, &["evil.example"]).0, 403);
}

#[test]
fn pages_that_do_not_exist_are_refused_to_other_hosts_too() {
    let server = server();
    for path in ["/", "/favicon.ico", "/debug/profile/nothing"] {
        let line = format!("GET {path} HTTP/1.1");
        assert_eq!(ask(server.local_addr(), &line, &["evil.example"]).0, 403);
        assert_ne!(ask(server.local_addr(), &line, &["localhost"]).0, 403);
    }
}

#[test]
fn a_name_that_was_allowed_is_answered_and_no_other() {
    let built = taskprof::server().allowed_host("Profile.Internal.");
    let server = served(built.bind("127.0.0.1:0"));
    let addr = server.local_addr();
    for host in [
        "profile.internal",
        "PROFILE.internal:80",
        "profile.internal.",
        "localhost",
    ] {
        assert_eq!(ask(addr, INDEX, &[host]).0, 200, "{host}");
    }
    for host in [
        "profile.internal.evil.example",
        "internal",
        "evil.example",
        "10.0.0.1",
    ] {
        let (status, sentence) = ask(addr, INDEX, &[host]);
        assert_eq!(status, 403, "{host}");
        assert_eq!(
            sentence,
            "this server answers only to localhost and loopback addresses and the names that it was told; the Host header of the request names another"
        );
    }
}

#[test]
fn what_cannot_be_an_allowed_host_is_an_error_that_shows_it() {
    for name in [
        "",
        "*",
        "*.internal",
        "internal:80",
        "internal:",
        "http://internal",
        "a b",
        "10.0.0.1",
        "127.1",
        "2130706433",
        "[::1]",
        "a..b",
        "user@internal",
        "ä.example",
    ] {
        let error = taskprof::server()
            .allowed_host(name)
            .bind("127.0.0.1:0")
            .unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{name}");
        assert_eq!(
            error.to_string(),
            format!(
                "taskprof does not start a server: {name:?} cannot be an allowed host: give a name as in app.example.com, without a scheme, a port \
                 or a wildcard; addresses need not be given"
            )
        );
    }
}
