//! Helpers of the tests across crates: a client that needs no runtime, so that it works while every
//! runtime is blocked, and a browser.

pub mod browser;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line and headers, as sent.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    ///
    /// # Panics
    ///
    /// If it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text body")
    }
}

/// `GET`s a path over a connection of its own.
///
/// # Panics
///
/// If the server cannot be reached or does not answer in HTTP.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path)
}

/// Sends a request without a body over a connection of its own.
///
/// # Panics
///
/// If the server cannot be reached or does not answer in HTTP.
#[must_use]
pub fn request(address: SocketAddr, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the server is there");
    // HTTP/1.0, so that the body ends with the connection and is not chunked.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"
    )
    .expect("a request can be sent");
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .expect("an answer can be read");
    let split = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a complete head");
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status line");
    Answer {
        status,
        head,
        body: bytes.split_off(split + 4),
    }
}

/// The examples of the project's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The programs of the guide for services on plain tokio, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/migrating-from-tokio-spawn.md")]
struct Migrating;

/// The programs of the page for users, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/using.md")]
struct Using;
