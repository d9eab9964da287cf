//! Sockets and name resolution.

use std::future::poll_fn;
use std::io::IoSlice;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::{
    TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream,
};

use crate::pool::busy_pool;
use crate::row::rows;

/// More than any socket buffers.
pub(crate) const MUCH: usize = 64 << 20;

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (other, _) = listener.accept().await.unwrap();
    (one, other)
}

async fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

/// A UDP socket that was full when it was last written to.
async fn full_udp() -> UdpSocket {
    let socket = udp().await;
    socket.connect(socket.local_addr().unwrap()).await.unwrap();
    socket.writable().await.unwrap();
    let full: std::io::Result<()> = socket.try_io(Interest::WRITABLE, || {
        Err(std::io::ErrorKind::WouldBlock.into())
    });
    assert!(full.is_err());
    socket
}

/// A socket whose path is removed at the end.
struct Removed(
    PathBuf,
    #[expect(dead_code, reason = "kept open")] UnixDatagram,
);

impl Drop for Removed {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

rows! {
    accepting_a_tcp_connection: "accept" = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        ((), async move { let _ = listener.accept().await; })
    };
    polling_for_a_tcp_connection: "accept" = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        ((), async move { let _ = poll_fn(|cx| listener.poll_accept(cx)).await; })
    };
    accepting_a_connection_on_a_unix_socket: "accept" = {
        let path = std::env::temp_dir().join(format!("taskscope-accept-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        ((), async move { let _ = listener.accept().await; })
    };
    // Nobody accepts, and the queue is full.
    connecting_to_a_busy_listener: "connect" = {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting: Vec<_> = (0..2).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        ((listener, waiting), async move { let _ = TcpStream::connect(address).await; })
    };
    connecting_a_socket_to_a_busy_listener: "connect" = {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting: Vec<_> = (0..2).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        ((listener, waiting), async move {
            let _ = TcpSocket::new_v4().unwrap().connect(address).await;
        })
    };
    looking_up_a_name: "dns lookup" = {
        let pool = busy_pool();
        (pool, async { let _ = tokio::net::lookup_host("localhost:80").await; })
    };
    looking_up_a_name_to_connect_to: "dns lookup" = {
        let pool = busy_pool();
        (pool, async { let _ = TcpStream::connect("localhost:80").await; })
    };
    reading_from_a_tcp_stream: "io readable" = {
        let (mut one, other) = tcp().await;
        (other, async move { let _ = one.read(&mut [0]).await; })
    };
    peeking_into_a_tcp_stream: "io readable" = {
        let (one, other) = tcp().await;
        (other, async move { let _ = one.peek(&mut [0]).await; })
    };
    waiting_until_a_tcp_stream_is_readable: "io readable" = {
        let (one, other) = tcp().await;
        (other, async move { let _ = one.readable().await; })
    };
    polling_a_tcp_stream: "io readable" = {
        let (one, other) = tcp().await;
        (other, async move { let _ = poll_fn(|cx| one.poll_read_ready(cx)).await; })
    };
    polling_a_full_tcp_stream: "io writable" = {
        let (one, other) = tcp().await;
        one.writable().await.unwrap();
        while one.try_write(&[0; 4096]).is_ok() {}
        (other, async move { let _ = poll_fn(|cx| one.poll_write_ready(cx)).await; })
    };
    writing_parts_to_a_tcp_stream_that_nobody_reads: "io writable" = {
        let (mut one, other) = tcp().await;
        one.writable().await.unwrap();
        while one.try_write(&[0; 4096]).is_ok() {}
        (other, async move { let _ = one.write_vectored(&[IoSlice::new(&[0])]).await; })
    };
    reading_from_a_half_of_a_tcp_stream: "io readable" = {
        let (one, other) = tcp().await;
        let (mut read, write) = one.into_split();
        ((other, write), async move { let _ = read.read(&mut [0]).await; })
    };
    reading_from_a_borrowed_half_of_a_tcp_stream: "io readable" = {
        let (mut one, other) = tcp().await;
        (other, async move { let _ = one.split().0.read(&mut [0]).await; })
    };
    writing_to_a_tcp_stream_that_nobody_reads: "io writable" = {
        let (mut one, other) = tcp().await;
        (other, async move { let _ = one.write_all(&vec![0; MUCH]).await; })
    };
    waiting_until_a_tcp_stream_is_writable: "io writable" = {
        let (one, other) = tcp().await;
        one.writable().await.unwrap();
        while one.try_write(&[0; 4096]).is_ok() {}
        (other, async move { let _ = one.writable().await; })
    };
    writing_to_a_half_of_a_tcp_stream: "io writable" = {
        let (one, other) = tcp().await;
        let (read, mut write) = one.into_split();
        ((other, read), async move { let _ = write.write_all(&vec![0; MUCH]).await; })
    };
    waiting_for_anything_of_a_tcp_stream: "io" = {
        let (one, other) = tcp().await;
        one.writable().await.unwrap();
        while one.try_write(&[0; 4096]).is_ok() {}
        (other, async move { let _ = one.ready(Interest::READABLE | Interest::WRITABLE).await; })
    };
    receiving_from_a_udp_socket: "io readable" = {
        let socket = udp().await;
        ((), async move { let _ = socket.recv(&mut [0]).await; })
    };
    receiving_with_the_sender_from_a_udp_socket: "io readable" = {
        let socket = udp().await;
        ((), async move { let _ = socket.recv_from(&mut [0]).await; })
    };
    polling_a_udp_socket: "io readable" = {
        let socket = udp().await;
        ((), async move { let _ = poll_fn(|cx| socket.poll_recv_ready(cx)).await; })
    };
    waiting_until_a_udp_socket_is_readable: "io readable" = {
        let socket = udp().await;
        ((), async move { let _ = socket.readable().await; })
    };
    receiving_into_a_buffer_from_a_udp_socket: "io readable" = {
        let socket = udp().await;
        ((), async move { let _ = socket.recv_buf(&mut Vec::with_capacity(1)).await; })
    };
    receiving_into_a_buffer_with_the_sender_from_a_udp_socket: "io readable" = {
        let socket = udp().await;
        ((), async move { let _ = socket.recv_buf_from(&mut Vec::with_capacity(1)).await; })
    };
    peeking_into_a_connected_udp_socket: "io readable" = {
        let socket = udp().await;
        ((), async move { let _ = socket.peek(&mut [0]).await; })
    };
    peeking_at_the_sender_of_a_udp_socket: "io readable" = {
        let socket = udp().await;
        ((), async move { let _ = socket.peek_sender().await; })
    };
    polling_a_udp_socket_to_receive: "io readable" = {
        let socket = udp().await;
        ((), async move {
            let mut bytes = [0];
            let _ = poll_fn(|cx| socket.poll_recv(cx, &mut ReadBuf::new(&mut bytes))).await;
        })
    };
    polling_a_udp_socket_to_send: "io writable" = {
        let socket = full_udp().await;
        ((), async move { let _ = poll_fn(|cx| socket.poll_send(cx, &[0])).await; })
    };
    peeking_into_a_udp_socket: "io readable" = {
        let socket = udp().await;
        ((), async move { let _ = socket.peek_from(&mut [0]).await; })
    };
    // A socket does not fill up here; it is told that it has.
    waiting_until_a_udp_socket_is_writable: "io writable" = {
        let socket = full_udp().await;
        ((), async move { let _ = socket.writable().await; })
    };
    sending_with_a_full_udp_socket: "io writable" = {
        let socket = full_udp().await;
        ((), async move { let _ = socket.send(&[0]).await; })
    };
    sending_to_an_address_with_a_full_udp_socket: "io writable" = {
        let socket = full_udp().await;
        let address = socket.local_addr().unwrap();
        ((), async move { let _ = socket.send_to(&[0], address).await; })
    };
    polling_a_full_udp_socket: "io writable" = {
        let socket = full_udp().await;
        ((), async move { let _ = poll_fn(|cx| socket.poll_send_ready(cx)).await; })
    };
    reading_from_a_unix_stream: "io readable" = {
        let (mut one, other) = UnixStream::pair().unwrap();
        (other, async move { let _ = one.read(&mut [0]).await; })
    };
    waiting_until_a_unix_stream_is_readable: "io readable" = {
        let (one, other) = UnixStream::pair().unwrap();
        (other, async move { let _ = one.readable().await; })
    };
    writing_to_a_unix_stream_that_nobody_reads: "io writable" = {
        let (mut one, other) = UnixStream::pair().unwrap();
        (other, async move { let _ = one.write_all(&vec![0; MUCH]).await; })
    };
    waiting_until_a_unix_stream_is_writable: "io writable" = {
        let (one, other) = UnixStream::pair().unwrap();
        one.writable().await.unwrap();
        while one.try_write(&[0; 4096]).is_ok() {}
        (other, async move { let _ = one.writable().await; })
    };
    receiving_from_a_unix_datagram: "io readable" = {
        let (one, other) = UnixDatagram::pair().unwrap();
        (other, async move { let _ = one.recv(&mut [0]).await; })
    };
    receiving_with_the_sender_from_a_unix_datagram: "io readable" = {
        let (one, other) = UnixDatagram::pair().unwrap();
        (other, async move { let _ = one.recv_from(&mut [0]).await; })
    };
    receiving_into_a_buffer_from_a_unix_datagram: "io readable" = {
        let (one, other) = UnixDatagram::pair().unwrap();
        (other, async move { let _ = one.recv_buf(&mut Vec::with_capacity(1)).await; })
    };
    receiving_into_a_buffer_with_the_sender_from_a_unix_datagram: "io readable" = {
        let (one, other) = UnixDatagram::pair().unwrap();
        (other, async move { let _ = one.recv_buf_from(&mut Vec::with_capacity(1)).await; })
    };
    waiting_until_a_unix_datagram_is_readable: "io readable" = {
        let (one, other) = UnixDatagram::pair().unwrap();
        (other, async move { let _ = one.readable().await; })
    };
    waiting_until_a_unix_datagram_is_writable: "io writable" = {
        let (one, other) = UnixDatagram::pair().unwrap();
        one.writable().await.unwrap();
        while one.try_send(&[0; 4096]).is_ok() {}
        (other, async move { let _ = one.writable().await; })
    };
    sending_to_a_path_that_nobody_receives_from: "io writable" = {
        let path = std::env::temp_dir().join(format!("taskscope-datagrams-{}", std::process::id()));
        let receiver = UnixDatagram::bind(&path).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        (Removed(path.clone(), receiver), async move { while sender.send_to(&[0; 4096], &path).await.is_ok() {} })
    };
    sending_unix_datagrams_that_nobody_receives: "io writable" = {
        let (one, other) = UnixDatagram::pair().unwrap();
        (other, async move { while one.send(&[0; 4096]).await.is_ok() {} })
    };
}
