//! The bearer token: who gets in, what the others learn, and that it stays a secret.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::client::{Answer, Sentence as _, exchange};
use crate::go::{go_tool_pprof, go_tool_pprof_ok, tmp_dir};
use crate::{Served, served};

const TOKEN: &str = "6f1ed002ab5595859014ebf0951522d9";
const NOTHING: &str = "this needs a token: send it as Authorization: Bearer <token>, or as the password of HTTP Basic, with any user name";
const WRONG: &str = "this needs another token: send it as Authorization: Bearer <token>, or as the password of HTTP Basic, with any user name";

fn guarded() -> Served {
    served(taskprof::server().bearer_token(TOKEN).bind("127.0.0.1:0"))
}

fn ask(addr: SocketAddr, method: &str, path: &str, headers: &[String]) -> Answer {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(&format!("Authorization: {header}\r\n"));
    }
    request.push_str("\r\n");
    exchange(addr, request.as_bytes())
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[test]
fn the_token_lets_in_as_a_bearer_token_and_as_a_password_of_anybody() {
    let server = guarded();
    for header in [
        format!("Bearer {TOKEN}"),
        format!("bearer {TOKEN}"),
        format!("BEARER   {TOKEN}"),
        basic(&format!("any:{TOKEN}")),
        basic(&format!(":{TOKEN}")),
        basic(&format!("jürgen:{TOKEN}")).replace("Basic", "bASIC"),
    ] {
        let shown = std::slice::from_ref(&header);
        let answer = ask(server.local_addr(), "GET", "/debug/profile", shown);
        assert_eq!(answer.status, 200, "{header}");
    }
}

#[test]
fn nothing_else_lets_in() {
    let server = guarded();
    let addr = server.local_addr();
    let longer = format!("{TOKEN}0");
    for header in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        TOKEN.to_owned(),
        format!("Bearer {longer}"),
        format!("Bearer {}", &TOKEN[1..]),
        format!("Bearer {}", &TOKEN[..31]),
        format!("Bearer {}", TOKEN.to_uppercase()),
        format!("Bearer {TOKEN} {TOKEN}"),
        format!("Bearer {TOKEN},{TOKEN}"),
        format!("Bearer \"{TOKEN}\""),
        format!("Bearer{TOKEN}"),
        format!("Token {TOKEN}"),
        format!("Digest {TOKEN}"),
        format!("Bearer {}", STANDARD.encode(TOKEN)),
        format!("Basic {TOKEN}"),
        basic(TOKEN),
        basic(&format!("{TOKEN}:")),
        basic(&format!("{TOKEN}:any")),
        basic(&format!("any:{longer}")),
        basic(&format!("any: {TOKEN}")),
        basic(&format!("any:any:{TOKEN}")),
        "Basic".to_owned(),
        "Basic !!!!".to_owned(),
        // What the digest of the empty string would be for a token that is none.
        "Bearer e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
    ] {
        let shown = std::slice::from_ref(&header);
        let answer = ask(addr, "GET", "/debug/profile", shown);
        assert_eq!(answer.status, 401, "{header}");
        assert_eq!(answer.sentence(), WRONG, "{header}");
    }
    let right = format!("Bearer {TOKEN}");
    for two in [
        [right.clone(), right.clone()],
        [right, "Bearer x".to_owned()],
    ] {
        assert_eq!(ask(addr, "GET", "/debug/profile", &two).status, 401);
    }
}

#[test]
fn the_token_is_not_looked_for_in_the_address() {
    let server = guarded();
    for path in [
        format!("/debug/profile?token={TOKEN}"),
        format!("/debug/profile?access_token={TOKEN}"),
        format!("http://any:{TOKEN}@localhost/debug/profile"),
    ] {
        let answer = ask(server.local_addr(), "GET", &path, &[]);
        assert!(
            [401, 403].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        assert!(!answer.text().contains(TOKEN));
    }
}

#[test]
fn without_it_every_page_is_401_with_a_sentence_and_a_challenge_for_tools_and_for_browsers() {
    let server = guarded();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/debug/profile"),
        ("GET", "/debug/profile/tasks?debug=2"),
        ("GET", "/debug/profile/captures/1"),
        ("GET", "/debug/profile/nothing"),
        ("GET", "/favicon.ico"),
        ("HEAD", "/debug/profile/cpu"),
        ("POST", "/debug/profile/symbol"),
        ("OPTIONS", "/debug/profile"),
        ("DELETE", "/"),
    ] {
        let answer = ask(server.local_addr(), method, path, &[]);
        assert_eq!(answer.status, 401, "{method} {path}");
        if method != "HEAD" {
            assert_eq!(answer.sentence(), NOTHING, "{method} {path}");
        }
        assert_eq!(
            answer.headers("www-authenticate"),
            [
                "Bearer realm=\"taskprof\"",
                "Basic realm=\"taskprof\", charset=\"UTF-8\""
            ]
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("content-security-policy").is_some());
        let shown = [format!("Bearer {TOKEN}")];
        let inside = ask(server.local_addr(), method, path, &shown);
        assert_ne!(inside.status, 401, "{method} {path}");
    }
}

#[test]
fn go_tool_pprof_gets_in_with_the_token_as_a_password_and_shows_why_not_without() {
    let server = guarded();
    let dir = tmp_dir("endpoint-token");
    let url = |user: &str| format!("http://{user}{}/debug/profile/threads", server.local_addr());
    go_tool_pprof_ok(&["-raw", &url(&format!("any:{TOKEN}@"))], &dir);
    let refused = go_tool_pprof(&["-raw", &url("")], &dir);
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains(NOTHING), "{said}");
}

#[test]
fn a_token_that_cannot_be_one_is_an_error_that_does_not_repeat_it() {
    let white = "the bearer token contains white space, perhaps the line end of the file that it comes from; trim it";
    let bytes = "the bearer token contains bytes that cannot stand in the Authorization header; it may consist of letters, digits and \
                 - . _ ~ + /, with = at its end";
    let length = "the bearer token must have from 16 to 1024 bytes; 32 random ones from `openssl rand -hex 16` are right";
    let long = "a".repeat(1025);
    for (token, why) in [
        (
            "",
            "the bearer token is empty; is the variable or the file set that it comes from?",
        ),
        (" ", white),
        ("\n", white),
        ("6f1ed002ab5595859014ebf0951522d9\n", white),
        (" 6f1ed002ab5595859014ebf0951522d9", white),
        ("6f1ed002ab559585\t9014ebf0951522d9", white),
        ("6f1ed002ab559585", ""),
        ("6f1ed002ab55958", length),
        ("================", length),
        ("6f1ed002ab55958=", length),
        (&long, length),
        (&long[1..], ""),
        ("AZaz09-._~+/AZaz09==", ""),
        ("6f1ed002=ab5595859014ebf0951522d9", bytes),
        ("6f1ed002ab5595859014ebf0951522d9;", bytes),
        ("6f1ed002ab5595859014ebf0951522d9\0", bytes),
        ("6f1ed002ab5595859014ebf0951522d9ä", bytes),
        ("\u{a0}6f1ed002ab5595859014ebf0951522d9", bytes),
    ] {
        let served = taskprof::server().bearer_token(token).bind("127.0.0.1:0");
        let layer = taskprof::require_bearer(token);
        if why.is_empty() {
            served.unwrap().shutdown();
            drop(layer.unwrap());
            continue;
        }
        let error = layer.unwrap_err();
        assert!(error.is_invalid_argument());
        assert_eq!(error.to_string(), why);
        let error = served.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            format!("taskprof does not start a server: {why}")
        );
        let secret = token.trim();
        let said = format!("{error} {error:?}");
        assert!(secret.is_empty() || !said.contains(secret), "{said}");
    }
}

#[test]
fn the_token_is_in_no_debug_output() {
    let builder = taskprof::server().bearer_token(TOKEN);
    let layer = taskprof::require_bearer(TOKEN).unwrap();
    let shown = format!("{builder:#?} {layer:#?}");
    assert!(shown.contains("Token(hidden)"), "{shown}");
    let server = served(builder.bind("127.0.0.1:0"));
    let shown = format!("{shown} {:#?}", server.0);
    assert!(!shown.contains(&TOKEN[..8]), "{shown}");
    // The control: what is no secret is there.
    assert!(shown.contains("local_addr"), "{shown}");
}
