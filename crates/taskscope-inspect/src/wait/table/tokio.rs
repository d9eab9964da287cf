//! The rows of tokio itself.

use super::super::WaitKind::*;
use super::{Row, table};

table! {
    // sync
    MpscRecv []:
        "tokio::sync::mpsc::chan",
        "tokio::sync::mpsc::bounded::Receiver",
        "tokio::sync::mpsc::unbounded::UnboundedReceiver";
    MpscSend [Semaphore]: "tokio::sync::mpsc";
    MpscClosed [Notify]: "tokio::sync::mpsc";
    OneshotRecv []: "tokio::sync::oneshot::Receiver", "tokio::sync::oneshot::Inner";
    OneshotClosed []: "tokio::sync::oneshot::Sender";
    BroadcastRecv []: "tokio::sync::broadcast";
    BroadcastClosed [Notify]: "tokio::sync::broadcast";
    WatchChanged [Notify]: "tokio::sync::watch";
    WatchClosed [Notify]: "tokio::sync::watch::Sender::closed";
    Notify []: "tokio::sync::notify";
    Mutex [Semaphore]: "tokio::sync::mutex";
    RwLockRead [Semaphore]: "tokio::sync::rwlock::RwLock::read", "tokio::sync::rwlock::RwLock::read_owned";
    RwLockWrite [Semaphore]: "tokio::sync::rwlock::RwLock::write", "tokio::sync::rwlock::RwLock::write_owned";
    Semaphore []: "tokio::sync::batch_semaphore", "tokio::sync::semaphore";
    Barrier [WatchChanged]: "tokio::sync::barrier";
    OnceCell [Semaphore]: "tokio::sync::once_cell";
    SetOnce [Notify]: "tokio::sync::set_once";

    // time; what a timeout limits cannot be told from its timer if it is itself nothing but a sleep
    Sleep []: "tokio::time::sleep";
    Interval [Sleep]: "tokio::time::interval";
    Timeout [Sleep]: "tokio::time::timeout";

    // task
    Join []: "tokio::runtime::task::join";
    JoinSet []: "tokio::task::join_set";
    LocalSet []: "tokio::task::local";
    Yield []: "tokio::task::yield_now", "tokio::runtime::scheduler::defer";
    Budget [Yield]:
        "tokio::task::coop::poll_proceed",
        "tokio::task::coop::poll_budget_available",
        "tokio::task::coop::consume_budget";

    // Readiness: which way it goes is known at the bottom, or only to the function that was called.
    // Which kind of socket it is cannot be told in a release build: the functions are merged, or
    // have become jumps that leave no frame.
    Io []: "tokio::runtime::io";
    IoReadable [Io]:
        "tokio::runtime::io::registration::Registration::poll_read_ready",
        "tokio::runtime::io::registration::Registration::poll_read_io",
        "tokio::io::poll_evented::PollEvented::poll_read",
        "tokio::io::async_fd::AsyncFd::readable",
        "tokio::io::async_fd::AsyncFd::readable_mut",
        "tokio::io::async_fd::AsyncFd::poll_read_ready",
        "tokio::io::async_fd::AsyncFd::poll_read_ready_mut",
        "tokio::net::tcp::stream::TcpStream::readable",
        "tokio::net::tcp::stream::TcpStream::poll_read_ready",
        "tokio::net::tcp::stream::TcpStream::peek",
        "tokio::net::udp::UdpSocket::readable",
        "tokio::net::udp::UdpSocket::poll_recv_ready",
        "tokio::net::udp::UdpSocket::recv",
        "tokio::net::udp::UdpSocket::recv_buf",
        "tokio::net::udp::UdpSocket::recv_from",
        "tokio::net::udp::UdpSocket::recv_buf_from",
        "tokio::net::udp::UdpSocket::peek",
        "tokio::net::udp::UdpSocket::peek_from",
        "tokio::net::udp::UdpSocket::peek_sender",
        "tokio::net::unix::stream::UnixStream::readable",
        "tokio::net::unix::datagram::socket::UnixDatagram::readable",
        "tokio::net::unix::datagram::socket::UnixDatagram::recv",
        "tokio::net::unix::datagram::socket::UnixDatagram::recv_buf",
        "tokio::net::unix::datagram::socket::UnixDatagram::recv_from",
        "tokio::net::unix::datagram::socket::UnixDatagram::recv_buf_from",
        "tokio::net::unix::pipe::Receiver::readable";
    IoWritable [Io]:
        "tokio::runtime::io::registration::Registration::poll_write_ready",
        "tokio::runtime::io::registration::Registration::poll_write_io",
        "tokio::io::poll_evented::PollEvented::poll_write",
        "tokio::io::poll_evented::PollEvented::poll_write_vectored",
        "tokio::io::async_fd::AsyncFd::writable",
        "tokio::io::async_fd::AsyncFd::writable_mut",
        "tokio::io::async_fd::AsyncFd::poll_write_ready",
        "tokio::io::async_fd::AsyncFd::poll_write_ready_mut",
        "tokio::net::tcp::stream::TcpStream::writable",
        "tokio::net::tcp::stream::TcpStream::poll_write_ready",
        "tokio::net::udp::UdpSocket::writable",
        "tokio::net::udp::UdpSocket::poll_send_ready",
        "tokio::net::udp::UdpSocket::send",
        "tokio::net::udp::UdpSocket::send_to",
        "tokio::net::unix::stream::UnixStream::writable",
        "tokio::net::unix::datagram::socket::UnixDatagram::writable",
        "tokio::net::unix::datagram::socket::UnixDatagram::send",
        "tokio::net::unix::datagram::socket::UnixDatagram::send_to",
        "tokio::net::unix::pipe::Sender::writable";
    Accept [Io, IoReadable]: "tokio::net::tcp::listener", "tokio::net::unix::listener";
    Connect [Io, IoWritable]:
        "tokio::net::tcp::stream::TcpStream::connect_mio",
        "tokio::net::tcp::stream::TcpStream::connect",
        "tokio::net::tcp::socket::TcpSocket::connect";
    Dns [Join]: "tokio::net::addr", "tokio::net::lookup_host";

    // io, fs
    DuplexRead []:
        "tokio::io::util::mem::SimplexStream::poll_read_internal",
        "tokio::io::util::mem::SimplexStream::poll_read",
        "tokio::io::util::mem::DuplexStream::poll_read";
    DuplexWrite []:
        "tokio::io::util::mem::SimplexStream::poll_write_internal",
        "tokio::io::util::mem::SimplexStream::poll_write_vectored_internal",
        "tokio::io::util::mem::SimplexStream::poll_write",
        "tokio::io::util::mem::SimplexStream::poll_write_vectored",
        "tokio::io::util::mem::DuplexStream::poll_write",
        "tokio::io::util::mem::DuplexStream::poll_write_vectored";
    Stdin [Join]: "tokio::io::blocking::Blocking::poll_read", "tokio::io::stdin";
    Stdout [Join]:
        "tokio::io::blocking::Blocking::poll_write",
        "tokio::io::blocking::Blocking::poll_flush",
        "tokio::io::stdout",
        "tokio::io::stderr";
    File [Join, Mutex]: "tokio::fs";

    // signal, process; without pidfd, the end of a child is a signal
    Signal [WatchChanged]: "tokio::signal";
    Process [IoReadable, Signal]:
        "tokio::process::imp::pidfd_reaper",
        "tokio::process::unix::pidfd_reaper",
        "tokio::process::imp::Child",
        "tokio::process::Child::wait";
}
