//! The clients: connections that ask again as soon as they are answered, in a process of their own.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use crate::worker::WORKERS;

/// Connections of the clients: enough that each of their threads always has something to do.
pub(crate) const CONNECTIONS: usize = 64;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n";

/// Asks until the service goes away or this process is killed.
pub(crate) fn run(address: &str) -> io::Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS as usize)
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| tokio::spawn(ask(address.to_string())))
            .collect();
        for client in clients {
            // A service that has gone away ends the clients.
            let _ = client.await;
        }
    });
    Ok(())
}

async fn ask(address: String) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(REQUEST).await?;
    let mut answer = vec![0; 1024];
    let length = answer_length(&mut stream, &mut answer).await?;
    // From here on all answers have the same length.
    loop {
        stream.write_all(REQUEST).await?;
        stream.read_exact(&mut answer[..length]).await?;
    }
}

/// Reads one answer.
async fn answer_length(stream: &mut TcpStream, answer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut answer[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let text = String::from_utf8_lossy(&answer[..filled]);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let expected = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .and_then(|length| length.parse::<usize>().ok())
                .ok_or(io::ErrorKind::InvalidData)?;
            if body.len() == expected {
                return Ok(filled);
            }
        }
    }
}
