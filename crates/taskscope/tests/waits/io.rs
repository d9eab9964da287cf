//! Pipes, files, terminals, memory, processes and signals.

use std::io::{IoSlice, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::unix::AsyncFd;
use tokio::io::{self, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::net::MUCH;
use crate::pool::busy_pool;
use crate::row::rows;

/// Lets a thread that is opening a FIFO for reading go.
struct OpenedAtEnd(PathBuf);

impl Drop for OpenedAtEnd {
    fn drop(&mut self) {
        let writer = std::fs::File::options()
            .read(true)
            .write(true)
            .open(&self.0);
        std::fs::remove_file(&self.0).unwrap();
        drop(writer.unwrap());
    }
}

fn fifo() -> OpenedAtEnd {
    let path = std::env::temp_dir().join(format!("taskscope-fifo-{}", std::process::id()));
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    OpenedAtEnd(path)
}

/// A child process that does nothing and does not end by itself.
fn idle_child() -> Child {
    let mut command = Command::new("sleep");
    command
        .arg("600")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().unwrap()
}

#[expect(
    deprecated,
    reason = "its successor is unsafe; a socket of std is what both ask for"
)]
fn async_fd() -> (AsyncFd<UnixStream>, UnixStream) {
    let (one, other) = UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    (AsyncFd::new(one).unwrap(), other)
}

/// That is known to be full.
async fn full_async_fd() -> (AsyncFd<UnixStream>, UnixStream) {
    let (fd, other) = async_fd();
    let mut writable = fd.writable().await.unwrap();
    while fd.get_ref().write(&[0; 4096]).is_ok() {}
    writable.clear_ready();
    (fd, other)
}

rows! {
    reading_from_a_pipe: "io readable" = {
        let (tx, mut rx) = pipe::pipe().unwrap();
        (tx, async move { let _ = rx.read(&mut [0]).await; })
    };
    waiting_until_a_pipe_is_readable: "io readable" = {
        let (tx, rx) = pipe::pipe().unwrap();
        (tx, async move { let _ = rx.readable().await; })
    };
    writing_to_a_pipe_that_nobody_reads: "io writable" = {
        let (mut tx, rx) = pipe::pipe().unwrap();
        (rx, async move { let _ = tx.write_all(&vec![0; MUCH]).await; })
    };
    waiting_until_a_pipe_is_writable: "io writable" = {
        let (tx, rx) = pipe::pipe().unwrap();
        tx.writable().await.unwrap();
        while tx.try_write(&[0; 4096]).is_ok() {}
        (rx, async move { let _ = tx.writable().await; })
    };
    waiting_until_a_file_descriptor_is_readable: "io readable" = {
        let (fd, other) = async_fd();
        (other, async move { let _ = fd.readable().await; })
    };
    polling_a_file_descriptor: "io readable" = {
        let (fd, other) = async_fd();
        (other, async move { let _ = std::future::poll_fn(|cx| fd.poll_read_ready(cx).map(drop)).await; })
    };
    polling_a_mutable_file_descriptor: "io readable" = {
        let (mut fd, other) = async_fd();
        (other, async move { let _ = std::future::poll_fn(|cx| fd.poll_read_ready_mut(cx).map(drop)).await; })
    };
    polling_a_full_file_descriptor: "io writable" = {
        let (fd, other) = full_async_fd().await;
        (other, async move { let _ = std::future::poll_fn(|cx| fd.poll_write_ready(cx).map(drop)).await; })
    };
    polling_a_full_mutable_file_descriptor: "io writable" = {
        let (mut fd, other) = full_async_fd().await;
        (other, async move { let _ = std::future::poll_fn(|cx| fd.poll_write_ready_mut(cx).map(drop)).await; })
    };
    waiting_until_a_file_descriptor_is_writable: "io writable" = {
        let (fd, other) = full_async_fd().await;
        (other, async move { let _ = fd.writable().await; })
    };
    waiting_until_a_mutable_file_descriptor_is_readable: "io readable" = {
        let (mut fd, other) = async_fd();
        (other, async move { let _ = fd.readable_mut().await; })
    };
    waiting_until_a_mutable_file_descriptor_is_writable: "io writable" = {
        let (mut fd, other) = full_async_fd().await;
        (other, async move { let _ = fd.writable_mut().await; })
    };
    reading_from_memory: "duplex read" = {
        let (mut one, other) = io::duplex(1);
        (other, async move { let _ = one.read(&mut [0]).await; })
    };
    writing_to_memory_that_nobody_reads: "duplex write" = {
        let (mut one, other) = io::duplex(1);
        (other, async move { let _ = one.write_all(&[0, 0]).await; })
    };
    reading_from_half_a_stream_in_memory: "duplex read" = {
        let (read, write) = io::simplex(1);
        (write, async move { let mut read = read; let _ = read.read(&mut [0]).await; })
    };
    writing_to_half_a_stream_in_memory: "duplex write" = {
        let (read, write) = io::simplex(1);
        (read, async move { let mut write = write; let _ = write.write_all(&[0, 0]).await; })
    };
    writing_parts_to_half_a_stream_in_memory: "duplex write" = {
        let (read, mut write) = io::simplex(1);
        write.write_all(&[0]).await.unwrap();
        (read, async move { let _ = write.write_vectored(&[IoSlice::new(&[0])]).await; })
    };
    // A future that only passes bytes on does not name the wait.
    reading_a_line: "duplex read" = {
        let (one, other) = io::duplex(1);
        (other, async move { let _ = BufReader::new(one).lines().next_line().await; })
    };
    copying: "duplex read" = {
        let (mut one, other) = io::duplex(1);
        (other, async move { let _ = io::copy(&mut one, &mut io::sink()).await; })
    };
    copying_in_both_directions: "io readable | duplex read" = {
        let (mut one, other) = io::duplex(1);
        let (tx, rx) = pipe::pipe().unwrap();
        (other, async move {
            let _ = io::copy_bidirectional(&mut one, &mut io::join(rx, tx)).await;
        })
    };
    reading_from_half_of_a_split_stream: "duplex read" = {
        let (one, other) = io::duplex(1);
        (other, async move { let _ = io::split(one).0.read(&mut [0]).await; })
    };
    opening_a_file_that_nobody_writes_to: "file" = {
        let fifo = fifo();
        let path = fifo.0.clone();
        (fifo, async move { let _ = tokio::fs::File::open(path).await; })
    };
    reading_a_whole_file: "file" = (busy_pool(), async { let _ = tokio::fs::read("/dev/null").await; });
    reading_from_a_file: "file" = {
        let mut file = tokio::fs::File::open("/dev/zero").await.unwrap();
        (busy_pool(), async move { let _ = file.read(&mut [0]).await; })
    };
    flushing_a_file: "file" = {
        let mut file = tokio::fs::File::create("/dev/null").await.unwrap();
        let pool = busy_pool();
        (pool, async move { file.write_all(&[0]).await.unwrap(); let _ = file.flush().await; })
    };
    // One holds the file's lock, the other waits for it.
    syncing_a_file_twice: "file | file" = {
        let file = tokio::fs::File::create("/dev/null").await.unwrap();
        (busy_pool(), async move { let _ = tokio::join!(file.sync_all(), file.sync_data()); })
    };
    listing_a_directory: "file" = (busy_pool(), async { let _ = tokio::fs::read_dir("/").await; });
    reading_from_standard_input: "stdin" = (busy_pool(), async {
        let _ = io::stdin().read(&mut [0]).await;
    });
    flushing_standard_output: "stdout or stderr" = (busy_pool(), async {
        let mut out = io::stdout();
        let _ = out.write(&[]).await;
        let _ = out.flush().await;
    });
    writing_to_standard_output: "stdout or stderr" = (busy_pool(), async {
        let mut out = io::stdout();
        // The first is taken by the pool.
        let _ = out.write(&[]).await;
        let _ = out.write(&[]).await;
    });
    flushing_standard_error: "stdout or stderr" = (busy_pool(), async {
        let mut out = io::stderr();
        let _ = out.write(&[]).await;
        let _ = out.flush().await;
    });
    waiting_for_a_child_process: "child process" = {
        let mut child = idle_child();
        ((), async move { let _ = child.wait().await; })
    };
    waiting_for_the_output_of_a_child_process: "io readable | io readable | child process" = {
        let child = idle_child();
        ((), async move { let _ = child.wait_with_output().await; })
    };
    reading_from_a_child_process: "io readable" = {
        let mut child = idle_child();
        let mut out = child.stdout.take().unwrap();
        (child, async move { let _ = out.read(&mut [0]).await; })
    };
    reading_errors_from_a_child_process: "io readable" = {
        let mut child = idle_child();
        let mut errors = child.stderr.take().unwrap();
        (child, async move { let _ = errors.read(&mut [0]).await; })
    };
    writing_to_a_child_process: "io writable" = {
        let mut child = idle_child();
        let mut input = child.stdin.take().unwrap();
        (child, async move { let _ = input.write_all(&vec![0; MUCH]).await; })
    };
    waiting_for_a_signal: "signal" = ((), async {
        signal(SignalKind::user_defined2()).unwrap().recv().await;
    });
    polling_for_a_signal: "signal" = ((), async {
        let mut signal = signal(SignalKind::user_defined2()).unwrap();
        std::future::poll_fn(|cx| signal.poll_recv(cx)).await;
    });
    waiting_for_an_interrupt: "signal" = ((), async { let _ = tokio::signal::ctrl_c().await; });
}
