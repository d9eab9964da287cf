//! A client that asks at given times, whether or not the service keeps up. Latency counts from when
//! a request was due.
//!
//! Plain threads that block: a runtime's timer would be up to a millisecond late.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::driver::Error;

/// Requests a second.
pub(crate) const RATE: u32 = 200;
/// Connections, of which each keeps alive: as many requests can be under way.
const CONNECTIONS: u32 = 32;
/// A request without an answer for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The latencies of a window, in milliseconds.
pub(super) struct Paced {
    sorted: Vec<f64>,
    /// Requests without an answer, or with a wrong one. They are among the latencies, too.
    pub(super) failed: u64,
}

impl Paced {
    /// The latency that this share of the requests did not exceed.
    pub(super) fn at(&self, share: f64) -> f64 {
        let place = (share * self.sorted.len() as f64).ceil() as usize;
        self.sorted[place.clamp(1, self.sorted.len()) - 1]
    }
}

/// Sends what is due during the warm-up and the window; returns when all of it has been answered.
pub(super) fn run(shop: SocketAddr, warm_up: Duration, window: Duration) -> Result<Paced, Error> {
    let requests = ((warm_up + window).as_secs_f64() * f64::from(RATE)) as u32;
    let start = Instant::now();
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|first| {
            thread::Builder::new().name("paced".into()).spawn(move || {
                share(
                    shop,
                    start,
                    warm_up,
                    (first..requests).step_by(CONNECTIONS as usize),
                )
            })
        })
        .collect::<Result<_, _>>()?;
    let mut paced = Paced {
        sorted: Vec::new(),
        failed: 0,
    };
    for thread in threads {
        let (latencies, failed) = thread.join().expect("a client does not panic");
        paced.sorted.extend(latencies);
        paced.failed += failed;
    }
    paced.sorted.sort_by(f64::total_cmp);
    Ok(paced)
}

/// One connection's requests: places an order and looks at it, in turns.
fn share(
    shop: SocketAddr,
    start: Instant,
    warm_up: Duration,
    requests: impl Iterator<Item = u32>,
) -> (Vec<f64>, u64) {
    let mut connection = Connection::new(shop);
    let (mut latencies, mut failed) = (Vec::new(), 0);
    let mut placed = None;
    for request in requests {
        let due = Duration::from_secs_f64(f64::from(request) / f64::from(RATE));
        thread::sleep((start + due).saturating_duration_since(Instant::now()));
        let answer = match placed.take() {
            None => connection.place_order(request).map(|id| placed = Some(id)),
            Some(id) => connection.show_order(id),
        };
        if due < warm_up {
            continue;
        }
        latencies.push((start.elapsed() - due).as_secs_f64() * 1e3);
        failed += u64::from(answer.is_err());
    }
    (latencies, failed)
}

struct Connection {
    shop: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    fn new(shop: SocketAddr) -> Connection {
        Connection {
            shop,
            stream: None,
            buffer: Vec::new(),
        }
    }

    /// The number of the new order. The same orders as those of the demo's own load.
    fn place_order(&mut self, request: u32) -> io::Result<u64> {
        let lines: Vec<Value> = ["teapot", "amber-lantern", "walnut-clock", "ivory-tray"]
            .iter()
            .zip(request..)
            .map(|(sku, number)| serde_json::json!({ "sku": sku, "quantity": 1 + number % 12 }))
            .collect();
        let customer = format!("customer-{}", request % 100);
        let order = serde_json::json!({ "customer": customer, "lines": lines }).to_string();
        let head = format!(
            "POST /orders HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.shop,
            order.len()
        );
        let answer = self.exchange(&(head + &order), "201")?;
        answer["id"]
            .as_u64()
            .ok_or(io::ErrorKind::InvalidData.into())
    }

    fn show_order(&mut self, id: u64) -> io::Result<()> {
        let shop = self.shop;
        let answer = self.exchange(
            &format!("GET /orders/{id} HTTP/1.1\r\nhost: {shop}\r\n\r\n"),
            "200",
        )?;
        match answer["id"] == id {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Sends a request and reads the answer to its end, on a new connection after an error.
    fn exchange(&mut self, request: &str, status: &str) -> io::Result<Value> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.shop)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream
            }
        };
        stream.write_all(request.as_bytes())?;
        let body = self.read(&mut stream, status)?;
        let answer = serde_json::from_slice(&self.buffer[body])?;
        self.stream = Some(stream);
        Ok(answer)
    }

    /// Reads an answer, and returns where in the buffer its body is.
    fn read(&mut self, stream: &mut TcpStream, status: &str) -> io::Result<std::ops::Range<usize>> {
        self.buffer.clear();
        let mut piece = [0; 4096];
        loop {
            let read = stream.read(&mut piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&self.buffer);
            let Some(end) = text.find("\r\n\r\n") else {
                continue;
            };
            let head = text[..end].to_ascii_lowercase();
            if head.split(' ').nth(1) != Some(status) {
                return Err(io::Error::other(head));
            }
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
                .ok_or(io::ErrorKind::InvalidData)?;
            if self.buffer.len() == end + 4 + length {
                return Ok(end + 4..self.buffer.len());
            }
        }
    }
}
