//! What is refused, with which status and which sentence, and the headers of every answer.

use crate::client::{Sentence as _, get, request, request_to_host};
use crate::server;

#[test]
fn a_bad_query_is_400_and_the_sentence_names_the_parameter() {
    let server = server();
    let long = "x".repeat(100);
    let shown = "x".repeat(40);
    for (query, sentence) in [
        (
            "seconds=0",
            "parameter seconds must be a whole number from 1 to 300, not \"0\"",
        ),
        (
            "seconds=301",
            "parameter seconds must be a whole number from 1 to 300, not \"301\"",
        ),
        (
            "seconds=-1",
            "parameter seconds must be a whole number from 1 to 300, not \"-1\"",
        ),
        (
            "seconds=%2B5",
            "parameter seconds must be a whole number from 1 to 300, not \"+5\"",
        ),
        (
            "seconds=1.5",
            "parameter seconds must be a whole number from 1 to 300, not \"1.5\"",
        ),
        (
            "seconds=",
            "parameter seconds must be a whole number from 1 to 300, not \"\"",
        ),
        (
            "seconds",
            "parameter seconds must be a whole number from 1 to 300, not \"\"",
        ),
        (
            "seconds=99999999999999999999999",
            "parameter seconds must be a whole number from 1 to 300, not \"99999999999999999999999\"",
        ),
        (
            "seconds=1&seconds=2",
            "parameter seconds is given more than once; give it once",
        ),
        (
            "format=xml",
            "parameter format must be one of FORMATS, not \"xml\"",
        ),
        (
            "format=SVG",
            "parameter format must be one of FORMATS, not \"SVG\"",
        ),
        (
            "mode=off",
            "parameter mode must be one of cpu, wall, not \"off\"",
        ),
        (
            "by=user",
            "parameter by must be one of stack, route, task, thread, not \"user\"",
        ),
        (
            "hz=1001",
            "parameter hz must be a whole number from 1 to 1000, not \"1001\"",
        ),
        (
            "ago=601",
            "parameter ago must be a whole number from 1 to 600, not \"601\"",
        ),
        (
            "ago=60&hz=99",
            "parameters ago and hz exclude each other; the past was sampled as it was",
        ),
        (
            "ago=60&mode=wall",
            "parameters ago and mode=wall exclude each other; of the past only CPU time is kept",
        ),
        (
            "route=",
            "parameter route is empty; leave it out to see everything",
        ),
        (
            "second=5",
            "unknown parameter \"second\"; known here: KNOWN",
        ),
        ("x=5", "unknown parameter \"x\"; known here: KNOWN"),
        (
            "format=folded&s=a",
            "unknown parameter \"s\"; known here: KNOWN",
        ),
        (
            "format=svg&z=1",
            "unknown parameter \"z\"; known here: KNOWN",
        ),
        (
            "%0d%0aa%1b=1",
            r#"unknown parameter "\r\na\u{1b}"; known here: KNOWN"#,
        ),
        (
            "%3Cscript%3E=1",
            "unknown parameter \"<script>\"; known here: KNOWN",
        ),
        (
            &format!("{long}=1"),
            &format!("unknown parameter \"{shown}\"…; known here: KNOWN"),
        ),
    ] {
        let answer = get(server.local_addr(), &format!("/debug/profile/cpu?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        let formats: Vec<&str> = taskprof::write::FORMATS.iter().map(|f| f.name).collect();
        let sentence = sentence.replace("FORMATS", &formats.join(", "));
        let known = "mode, hz, ago, route, scope, name, by, runtime, seconds, format, base";
        let sentence = sentence.replace("KNOWN", known);
        assert_eq!(answer.sentence(), sentence, "{query}");
    }
}

#[test]
fn an_unknown_page_is_404_and_repeats_nothing() {
    let server = server();
    for path in [
        "/debug/profile/%3Cscript%3E",
        "/debug/profile/cpu/",
        "/debug/",
        "/favicon.ico",
    ] {
        let answer = get(server.local_addr(), path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            answer.sentence(),
            "there is no such page; page/addresses lists what there is",
            "{path}"
        );
    }
}

#[test]
fn a_wrong_method_is_405_and_says_which_are_right() {
    let server = server();
    for path in [
        "/",
        "/debug/profile",
        "/debug/profile/",
        "/debug/profile/cpu",
    ] {
        for method in ["POST", "PUT", "DELETE"] {
            let answer = request(server.local_addr(), method, path);
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.sentence(), "only GET and HEAD are answered here");
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{method} {path}");
        }
    }
}

// A page that resolves its own name to 127.0.0.1 must not be able to read profiles.
#[test]
fn a_request_for_another_host_is_403() {
    let server = server();
    let addr = server.local_addr();
    for host in [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "",
        "a b",
    ] {
        let answer = request_to_host(addr, "GET", "/debug/profile", host);
        assert_eq!(answer.status, 403, "{host:?}");
        assert_eq!(
            answer.sentence(),
            "this server answers only to localhost and loopback addresses; the Host header of the request names another"
        );
    }
    for host in [
        "localhost",
        "LOCALHOST:9",
        "127.0.0.1",
        "127.1.2.3:80",
        "[::1]:80",
    ] {
        let answer = request_to_host(addr, "GET", "/debug/profile", host);
        assert_eq!(answer.status, 200, "{host:?}");
    }
}

#[test]
fn every_answer_has_the_protecting_headers() {
    let server = server();
    for (method, path, status) in [
        ("GET", "/", 307),
        ("GET", "/debug/profile", 200),
        ("HEAD", "/debug/profile/cpu", 200),
        ("GET", "/debug/profile/cpu?seconds=0", 400),
        ("GET", "/debug/profile/nothing", 404),
        ("GET", "/nothing", 404),
        ("POST", "/debug/profile/cpu", 405),
    ] {
        let answer = request(server.local_addr(), method, path);
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(
            answer.header("referrer-policy"),
            Some("no-referrer"),
            "{path}"
        );
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none';"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("http"), "no other host: {policy}");
    }
}
