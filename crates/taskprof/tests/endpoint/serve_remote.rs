//! Addresses that other machines can reach: only if it is said twice.

use std::io::ErrorKind;

use crate::client::{Sentence as _, exchange};
use crate::served;

const TOKEN: &str = "6f1ed002ab5595859014ebf0951522d9";

#[test]
fn an_address_that_others_can_reach_needs_both_and_the_error_names_what_is_missing() {
    let allowed = taskprof::server().allow_remote();
    let with_token = taskprof::server().bearer_token(TOKEN);
    for (server, missing) in [
        (
            taskprof::server(),
            "allow_remote() and bearer_token(..) are missing",
        ),
        (allowed, "bearer_token(..) is missing"),
        (with_token, "allow_remote() is missing"),
    ] {
        let error = server.bind("0.0.0.0:0").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            format!(
                "taskprof does not listen on 0.0.0.0:0: it is not a loopback address, and {missing} on taskprof::server(); \
                 use 127.0.0.1 or [::1], or nest taskprof::router() behind your own access control"
            )
        );
    }
}

// Resolvers give several addresses: one that is public is enough.
#[test]
fn one_public_address_among_several_is_enough_to_refuse() {
    let addrs: [std::net::SocketAddr; 2] = [([127, 0, 0, 1], 0).into(), ([0, 0, 0, 0], 0).into()];
    assert!(taskprof::serve(&addrs[..]).is_err());
    drop(taskprof::serve(&addrs[..1]).unwrap());
}

#[test]
fn with_both_every_address_is_answered_to_but_only_the_names_that_were_allowed() {
    let built = taskprof::server()
        .allow_remote()
        .bearer_token(TOKEN)
        .allowed_host("orders-7.internal");
    let server = served(built.bind("0.0.0.0:0"));
    let addr = ([127, 0, 0, 1], server.local_addr().port()).into();
    let ask = |host: &str, headers: &str| {
        let request = format!(
            "GET /debug/profile HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
        );
        exchange(addr, request.as_bytes())
    };
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    for host in [
        "localhost",
        "127.0.0.1:6061",
        "192.0.2.7:6061",
        "[2001:db8::1]",
        "orders-7.internal:6061",
    ] {
        assert_eq!(ask(host, &token).status, 200, "{host}");
        assert_eq!(ask(host, "").status, 401, "{host}");
    }
    for host in [
        "evil.example",
        "orders-8.internal",
        "internal",
        "192.0.2.7.evil.example",
    ] {
        let answer = ask(host, &token);
        assert_eq!(answer.status, 403, "{host}");
        assert_eq!(
            answer.sentence(),
            "this server answers only to localhost and addresses and the names that it was told; the Host header of the request names another"
        );
    }
}

#[test]
fn limits_that_are_none_are_errors() {
    use std::time::Duration;
    for (server, why) in [
        (
            taskprof::server().max_connections(0),
            "max_connections must be at least 1",
        ),
        (
            taskprof::server().header_timeout(Duration::ZERO),
            "header_timeout must be from a millisecond to an hour, not 0ns",
        ),
        (
            taskprof::server().write_timeout(Duration::from_secs(3601)),
            "write_timeout must be from a millisecond to an hour, not 3601s",
        ),
        (
            // The first of several.
            taskprof::server()
                .write_timeout(Duration::MAX)
                .max_connections(0),
            "write_timeout must be from a millisecond to an hour, not 18446744073709551615.999999999s",
        ),
    ] {
        let error = server.bind("127.0.0.1:0").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            format!("taskprof does not start a server: {why}")
        );
    }
}

// What users put into their own structs and threads.
#[test]
fn servers_builders_and_layers_can_be_sent_and_shared() {
    fn is<T: Send + Sync + 'static>() {}
    is::<taskprof::Server>();
    is::<taskprof::UnixServer>();
    is::<taskprof::ServerBuilder>();
    is::<taskprof::guard::RequireBearer>();
}
