//! A blocking HTTP/1.1 client: one request a connection, the answer whole.
//!
//! It needs no runtime, so it works while every runtime of the process is blocked. Not here:
//! keep-alive, redirects, TLS, and HTTP/2; a test of those brings a client of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The answer of a server.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line and headers, as sent.
    pub head: String,
    /// The body, without the frames of a chunked one.
    pub body: Vec<u8>,
    /// Whether the body came to its end, as far as its length or its last chunk says.
    pub complete: bool,
}

impl Answer {
    /// Reads until the connection is closed.
    ///
    /// # Panics
    ///
    /// If what comes does not begin with a whole head of HTTP.
    #[must_use]
    pub fn read(stream: &mut impl Read) -> Self {
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            // A server that closes while it has something unread resets; what it sent is there.
            Err(error) if error.kind() == ErrorKind::ConnectionReset && !bytes.is_empty() => {}
            Err(error) => panic!("no answer: {error}"),
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| {
            panic!("no whole head: {}", String::from_utf8_lossy(&bytes));
        });
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in UTF-8");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = bytes.split_off(end + 4);
        let mut answer = Answer {
            status: status.expect("a status line"),
            head,
            body,
            complete: true,
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            (answer.body, answer.complete) = without_chunks(&answer.body);
        } else if let Some(length) = answer.header("content-length") {
            answer.complete = length.parse() == Ok(answer.body.len());
        }
        answer
    }

    /// The first value of a header, whose name is compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    /// All values of a header, in their order.
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1);
        lines
            .filter_map(|line| line.split_once(": "))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// If it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }
}

/// The pieces of a chunked body, and whether the last one is there.
fn without_chunks(mut framed: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = framed.windows(2).position(|two| two == b"\r\n") else {
            return (body, false);
        };
        let size = std::str::from_utf8(&framed[..end]).ok();
        let size = size.and_then(|text| usize::from_str_radix(text, 16).ok());
        let (Some(size), rest) = (size, &framed[end + 2..]) else {
            return (body, false);
        };
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        if rest.len() < size + 2 {
            return (body, false);
        }
        framed = &rest[size + 2..];
    }
}

/// Gets a path over a connection of its own.
///
/// # Panics
///
/// If the server cannot be reached, or does not answer in HTTP.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path)
}

/// Sends a request without a body over a connection of its own.
///
/// # Panics
///
/// As [`get`].
#[must_use]
pub fn request(address: SocketAddr, method: &str, path: &str) -> Answer {
    Answer::read(&mut send(address, method, path, &[]))
}

/// Sends a request and leaves the answer to the caller, who reads it from the connection.
///
/// `Host` is the address unless the headers have one.
///
/// # Panics
///
/// If the server cannot be reached.
#[must_use]
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        request.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("Connection: close\r\n\r\n");
    connected(address, request.as_bytes())
}

/// Sends these bytes over a connection of its own, and reads until it is closed.
///
/// # Panics
///
/// As [`get`].
#[must_use]
pub fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    Answer::read(&mut connected(address, request))
}

fn connected(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server is there");
    stream.write_all(request).expect("a request can be sent");
    stream
}

#[cfg(test)]
mod tests {
    use super::Answer;

    fn read(text: &str) -> Answer {
        Answer::read(&mut text.as_bytes())
    }

    #[test]
    fn a_chunked_body_is_put_together() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = read(&format!("{head}3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n"));
        assert_eq!((whole.text(), whole.complete), ("abc0123456789", true));
        let broken = read(&format!("{head}3\r\nabc\r\na\r\n01234"));
        assert_eq!((broken.text(), broken.complete), ("abc01234", false));
    }

    #[test]
    fn headers_are_found_whatever_their_case() {
        let answer = read("HTTP/1.1 404 Not Found\r\nA: 1\r\nB: x\r\na: 2\r\n\r\nnothing");
        assert_eq!((answer.status, answer.text()), (404, "nothing"));
        assert_eq!(answer.headers("a"), ["1", "2"]);
        assert_eq!(answer.header("c"), None);
    }
}
