//! The smallest HTTP client: one request per connection, the answer whole.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1);
        lines
            .filter_map(|line| line.split_once(": "))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The sentence of a plain text error, without its line end.
    pub(crate) fn sentence(&self) -> &str {
        assert_eq!(
            self.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(self.header("x-go-pprof"), Some("1"));
        let text = self.text().strip_suffix('\n').unwrap();
        assert!(!text.contains('\n'), "one line: {text}");
        text
    }
}

pub(crate) fn get(addr: SocketAddr, path: &str) -> Answer {
    request(addr, "GET", path)
}

pub(crate) fn request(addr: SocketAddr, method: &str, path: &str) -> Answer {
    request_to_host(addr, method, path, &addr.to_string())
}

pub(crate) fn request_to_host(addr: SocketAddr, method: &str, path: &str, host: &str) -> Answer {
    whole(&mut send(addr, method, path, host))
}

/// Sends these bytes over a connection of its own and reads until it is closed.
pub(crate) fn exchange(addr: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(request).unwrap();
    whole(&mut stream)
}

/// Reads until the connection is closed.
pub(crate) fn whole(stream: &mut impl Read) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

/// Only asks; the connection is the caller's.
pub(crate) fn send(addr: SocketAddr, method: &str, path: &str, host: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream
}
