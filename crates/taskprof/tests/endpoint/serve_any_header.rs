//! Tests that no bytes in the headers that decide who gets in lead to an error of ours, or let
//! somebody in without the token.

use std::net::SocketAddr;
use std::sync::OnceLock;

use proptest::prelude::*;
use taskprof::Server;

use crate::client::exchange;

const TOKEN: &str = "6f1ed002ab5595859014ebf0951522d9";

/// One for all cases; it lives as long as the process.
fn guarded() -> SocketAddr {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let server = taskprof::server().bearer_token(TOKEN);
        server.bind("127.0.0.1:0").unwrap()
    });
    server.local_addr()
}

fn ask(host: &[u8], authorization: &[u8]) -> u16 {
    let request = [
        b"GET /debug/profile HTTP/1.1\r\nConnection: close\r\nHost: ",
        host,
        b"\r\nAuthorization: ",
        authorization,
        b"\r\n\r\n",
    ];
    exchange(guarded(), &request.concat()).status
}

/// The bytes of a header: anything but line ends.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("a line end", |byte| !b"\r\n".contains(byte));
    prop::collection::vec(byte, 0..64)
}

/// The right header with a few bytes changed, taken away or added.
fn almost(right: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (0..right.len() + 1, 0..3_usize, 0x20..0x7f_u8);
    prop::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut bytes = right.as_bytes().to_vec();
        for (at, what, byte) in changes {
            let at = at.min(bytes.len().saturating_sub(1));
            match what {
                _ if bytes.is_empty() => bytes.push(byte),
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

const RIGHT: &str = "Bearer 6f1ed002ab5595859014ebf0951522d9";
// `any:` and the token.
const RIGHT_BASIC: &str = "Basic YW55OjZmMWVkMDAyYWI1NTk1ODU5MDE0ZWJmMDk1MTUyMmQ5";

/// Whether a header that was changed still says the same by the rules.
///
/// Spaces around it, the case of the scheme and the name of a user do not count.
fn lets_in(header: &[u8]) -> bool {
    use base64::Engine as _;
    let header = header.trim_ascii();
    let Some(space) = header.iter().position(|&byte| byte == b' ') else {
        return false;
    };
    let (scheme, secret) = header.split_at(space);
    match &scheme.to_ascii_lowercase()[..] {
        b"bearer" => secret.trim_ascii() == TOKEN.as_bytes(),
        b"basic" => {
            let pair = base64::engine::general_purpose::STANDARD.decode(secret.trim_ascii());
            let pair = pair.unwrap_or_default();
            pair.splitn(2, |&byte| byte == b':').nth(1) == Some(TOKEN.as_bytes())
        }
        _ => false,
    }
}

#[test]
fn the_right_headers_get_in() {
    assert_eq!(ask(b"localhost", RIGHT.as_bytes()), 200);
    assert_eq!(ask(b"localhost", RIGHT_BASIC.as_bytes()), 200);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_authorization_is_refused(header in bytes()) {
        prop_assert!([400, 401].contains(&ask(b"localhost", &header)));
    }

    #[test]
    fn an_authorization_that_is_almost_right_is_refused(header in prop_oneof![almost(RIGHT), almost(RIGHT_BASIC)]) {
        let status = ask(b"localhost", &header);
        if lets_in(&header) {
            prop_assert_eq!(status, 200);
        } else {
            prop_assert!([400, 401].contains(&status), "{}", status);
        }
    }

    #[test]
    fn any_host_is_refused_though_the_token_is_right(host in prop_oneof![bytes(), almost("127.0.0.1:6061"), almost("[::1]:6061"), almost("localhost")]) {
        let text = String::from_utf8_lossy(&host).to_ascii_lowercase();
        let status = ask(&host, RIGHT.as_bytes());
        if status == 200 {
            // The changes may have made a port or an address of the same machine, and nothing
            // else.
            let host = text.trim().rsplit_once(':').filter(|_| !text.trim().ends_with(']')).map_or(text.trim(), |(host, _)| host);
            let same = host.parse().is_ok_and(|ip: std::net::Ipv4Addr| ip.is_loopback());
            let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let same_v6 = bracketed.is_some_and(|host| host.parse() == Ok(std::net::Ipv6Addr::LOCALHOST));
            prop_assert!(same || same_v6 || ["localhost", "localhost."].contains(&host), "{}", text);
        } else {
            prop_assert!([400, 403].contains(&status), "{}", status);
        }
    }
}
