//! Requests that a page of another site makes a browser send.

use std::net::SocketAddr;

use crate::client::{Sentence as _, exchange};
use crate::server;

const REFUSED: &str =
    "a page of another site asked for this; open the address yourself, or follow a link to it";

fn ask(addr: SocketAddr, method: &str, headers: &str) -> u16 {
    let request = format!(
        "{method} /debug/profile/symbol HTTP/1.1\r\nHost: localhost:6061\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n"
    );
    let answer = exchange(addr, request.as_bytes());
    if answer.status == 403 {
        if method != "HEAD" {
            assert_eq!(answer.sentence(), REFUSED);
        }
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    answer.status
}

#[test]
fn what_another_site_fetches_is_refused_and_a_link_that_is_followed_is_not() {
    let server = server();
    let followed = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let fetched = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
    let framed = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n";
    let ahead = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Purpose: prefetch\r\n";
    for (method, site, how, status) in [
        ("GET", "none", followed, 200),
        ("GET", "same-origin", followed, 200),
        ("GET", "same-origin", fetched, 200),
        ("POST", "same-origin", fetched, 200),
        ("GET", "cross-site", followed, 200),
        ("GET", "same-site", followed, 200),
        ("GET", "cross-site", fetched, 403),
        // Another port of localhost.
        ("GET", "same-site", fetched, 403),
        ("GET", "cross-site", framed, 403),
        ("GET", "cross-site", ahead, 403),
        ("GET", "cross-site", "", 403),
        ("GET", "what-is-yet-to-come", fetched, 403),
        ("POST", "cross-site", followed, 403),
        ("HEAD", "cross-site", followed, 403),
    ] {
        let headers = format!("Sec-Fetch-Site: {site}\r\n{how}");
        let got = ask(server.local_addr(), method, &headers);
        assert_eq!(got, status, "{method} {headers}");
    }
}

#[test]
fn a_browser_that_sends_only_the_origin_is_understood_as_well() {
    let server = server();
    for (origin, status) in [
        ("http://localhost:6061", 200),
        ("HTTP://LOCALHOST:6061", 200),
        // Behind a proxy that speaks TLS.
        ("https://localhost:6061", 200),
        ("http://localhost", 403),
        ("http://localhost:6062", 403),
        ("http://evil.example", 403),
        ("http://localhost:6061.evil.example", 403),
        ("null", 403),
        ("localhost:6061", 403),
        ("", 403),
    ] {
        for method in ["GET", "POST"] {
            let got = ask(
                server.local_addr(),
                method,
                &format!("Origin: {origin}\r\n"),
            );
            assert_eq!(got, status, "{method} {origin}");
        }
    }
}

#[test]
fn tools_send_none_of_it_and_are_answered() {
    let server = server();
    assert_eq!(ask(server.local_addr(), "GET", ""), 200);
    assert_eq!(ask(server.local_addr(), "POST", ""), 200);
}
