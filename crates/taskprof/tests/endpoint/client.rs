//! The client of these tests: that of `testkit`, and the form of an error of ours.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};

pub(crate) use testkit::{Answer, exchange, get, request};

pub(crate) trait Sentence {
    /// The sentence of a plain text error, without its line end.
    fn sentence(&self) -> &str;
}

impl Sentence for Answer {
    fn sentence(&self) -> &str {
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

pub(crate) fn request_to_host(addr: SocketAddr, method: &str, path: &str, host: &str) -> Answer {
    whole(&mut send(addr, method, path, host))
}

/// Reads until the connection is closed.
pub(crate) fn whole(stream: &mut impl Read) -> Answer {
    Answer::read(stream)
}

/// Only asks; the connection is the caller's.
pub(crate) fn send(addr: SocketAddr, method: &str, path: &str, host: &str) -> TcpStream {
    testkit::send(addr, method, path, &[("Host", host)])
}
