//! The Unix socket: for one user, never in place of somebody else's, gone at the end.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use taskprof::UnixServer;

use crate::client::{Answer, whole};

/// A directory for one test, with a path that is short enough for a socket.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("taskprof-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Directory(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("profile.sock")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Also after a failure; what is left is in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ask(path: &Path, host: &str, headers: &str) -> Answer {
    let mut stream = UnixStream::connect(path).unwrap();
    write!(
        stream,
        "GET /debug/profile HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    whole(&mut stream)
}

fn bind(path: &Path) -> std::io::Result<UnixServer> {
    taskprof::server().bind_unix(path)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn it_answers_to_every_host_and_only_its_user_may_connect() {
    let dir = Directory::new("mode");
    let server = bind(&dir.socket()).unwrap();
    assert_eq!(server.path(), dir.socket());
    for host in ["localhost", "evil.example", ""] {
        assert_eq!(ask(server.path(), host, "").status, 200, "{host}");
    }
    assert_eq!(mode(server.path()), 0o600);
    // The control: what a socket gets by itself.
    let plain = dir.0.join("plain.sock");
    let _listener = UnixListener::bind(&plain).unwrap();
    assert_ne!(mode(&plain), 0o600);
}

#[test]
fn a_token_that_was_given_is_demanded_here_too() {
    let dir = Directory::new("token");
    let token = "6f1ed002ab5595859014ebf0951522d9";
    let server = taskprof::server()
        .bearer_token(token)
        .bind_unix(dir.socket())
        .unwrap();
    assert_eq!(ask(server.path(), "localhost", "").status, 401);
    let header = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(ask(server.path(), "localhost", &header).status, 200);
}

// A proxy brings what browsers send.
#[test]
fn what_another_site_fetches_is_refused_here_too() {
    let dir = Directory::new("site");
    let server = bind(&dir.socket()).unwrap();
    let header = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n";
    assert_eq!(ask(server.path(), "localhost", header).status, 403);
}

#[test]
fn the_file_is_gone_after_shutdown_and_as_soon_as_the_server_is_dropped() {
    let dir = Directory::new("gone");
    for _ in 0..3 {
        let server = bind(&dir.socket()).unwrap();
        assert_eq!(ask(server.path(), "localhost", "").status, 200);
        server.shutdown();
        assert!(!dir.socket().exists());
        drop(bind(&dir.socket()).unwrap());
        assert!(!dir.socket().exists());
    }
}

#[test]
fn a_file_that_has_taken_its_place_is_left_alone() {
    let dir = Directory::new("replaced");
    let server = bind(&dir.socket()).unwrap();
    fs::remove_file(dir.socket()).unwrap();
    let other = bind(&dir.socket()).unwrap();
    server.shutdown();
    assert_eq!(ask(&dir.socket(), "localhost", "").status, 200);
    fs::remove_file(dir.socket()).unwrap();
    fs::write(dir.socket(), "kept").unwrap();
    other.shutdown();
    assert_eq!(fs::read_to_string(dir.socket()).unwrap(), "kept");
    // One that is gone already is no trouble either.
    let last = bind(&dir.0.join("last.sock")).unwrap();
    fs::remove_file(last.path()).unwrap();
    last.shutdown();
}

#[test]
fn what_a_killed_process_has_left_is_replaced() {
    let dir = Directory::new("stale");
    // The standard library leaves the file when the listener is dropped, as a kill does.
    drop(UnixListener::bind(dir.socket()).unwrap());
    assert!(
        fs::symlink_metadata(dir.socket())
            .unwrap()
            .file_type()
            .is_socket()
    );
    let server = bind(&dir.socket()).unwrap();
    assert_eq!(ask(server.path(), "localhost", "").status, 200);
    assert_eq!(mode(server.path()), 0o600);
}

fn refused(path: &Path) -> String {
    let error = bind(path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    let text = error.to_string();
    let prefix = format!("taskprof does not listen on {}: ", path.display());
    text.strip_prefix(&prefix).unwrap().to_owned()
}

#[test]
fn a_socket_that_somebody_listens_on_is_left_alone() {
    let dir = Directory::new("live");
    let in_use = "a process listens there already; stop it, or take another path";
    let first = bind(&dir.socket()).unwrap();
    assert_eq!(refused(first.path()), in_use);
    assert_eq!(ask(first.path(), "localhost", "").status, 200);

    // One that does not accept: first its queue is empty, then full.
    let path = dir.0.join("other.sock");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 4).unwrap();
    assert_eq!(refused(&path), in_use);
    let _queue: Vec<_> = (0..20).map(|_| connecting(&path)).collect();
    assert_eq!(refused(&path), in_use);
}

/// Connected or not: without waiting for a place in the queue.
fn connecting(path: &Path) -> std::os::fd::OwnedFd {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
    };
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::NONBLOCK,
        None,
    )
    .unwrap();
    // A full queue is what this is for.
    let _ = connect(&socket, &SocketAddrUnix::new(path).unwrap());
    socket
}

#[test]
fn what_is_no_socket_of_this_kind_is_left_alone() {
    let dir = Directory::new("file");
    let no_socket = "there is a file that is no socket, and it is left alone; take another path, or remove it yourself";
    fs::write(dir.socket(), "kept").unwrap();
    assert_eq!(refused(&dir.socket()), no_socket);
    assert_eq!(fs::read_to_string(dir.socket()).unwrap(), "kept");

    let stale = dir.0.join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    for (name, target) in [("dangling", "nowhere"), ("leads", "stale.sock")] {
        let link = dir.0.join(name);
        symlink(target, &link).unwrap();
        assert_eq!(refused(&link), no_socket, "{name}");
        assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
    }
    assert!(stale.exists());
    assert_eq!(refused(&dir.0), no_socket);

    let datagrams = dir.0.join("datagrams.sock");
    let _socket = UnixDatagram::bind(&datagrams).unwrap();
    let text = refused(&datagrams);
    assert!(
        text.starts_with(
            "there is a socket, and whether somebody listens on it cannot be found out"
        ),
        "{text}"
    );
    assert!(datagrams.exists());
}

#[test]
fn of_many_who_want_the_same_path_one_gets_it() {
    let dir = Directory::new("race");
    for round in 0..100 {
        if round % 2 == 0 {
            drop(UnixListener::bind(dir.socket()).unwrap());
        }
        let start = std::sync::Barrier::new(8);
        let won: Vec<UnixServer> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        bind(&dir.socket())
                    })
                })
                .collect();
            let ended = all.into_iter().map(|thread| thread.join().unwrap());
            ended
                .filter_map(|server| match server {
                    Ok(server) => Some(server),
                    Err(e) => {
                        assert_eq!(e.kind(), ErrorKind::AddrInUse, "{e}");
                        None
                    }
                })
                .collect()
        });
        assert_eq!(won.len(), 1);
        assert_eq!(ask(&dir.socket(), "localhost", "").status, 200);
        won.into_iter().for_each(UnixServer::shutdown);
        assert!(!dir.socket().exists());
    }
}

#[test]
fn a_relative_path_may_lead_through_a_deep_directory() {
    let dir = Directory::new("relative");
    // The parent of the root is the root.
    let up = "../".repeat(16);
    let relative = Path::new(&up).join(dir.socket().strip_prefix("/").unwrap());
    let server = bind(&relative).unwrap();
    assert!(server.path().is_absolute());
    assert_eq!(ask(&dir.socket(), "localhost", "").status, 200);
    server.shutdown();
    assert!(!dir.socket().exists());
}

#[test]
fn a_path_that_cannot_be_is_an_error_that_names_it() {
    let dir = Directory::new("path");
    let long = dir.0.join("x".repeat(108));
    for (path, kind, text) in [
        (
            Path::new(""),
            ErrorKind::InvalidInput,
            "taskprof cannot listen on a Unix socket with an empty path; is the variable set that it comes from?".to_owned(),
        ),
        (
            &long,
            ErrorKind::InvalidInput,
            format!("taskprof cannot listen on {}: the path of a Unix socket has at most 107 bytes", long.display()),
        ),
        (
            Path::new("/nowhere/profile.sock"),
            ErrorKind::NotFound,
            "taskprof cannot lock the directory /nowhere to make a socket in it: No such file or directory (os error 2)".to_owned(),
        ),
    ] {
        let error = bind(path).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (kind, text));
    }
    assert_eq!(
        bind(Path::new("\0profile")).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let width = 107 - dir.0.as_os_str().len() - 1;
    let longest = bind(&dir.0.join("x".repeat(width))).unwrap();
    assert_eq!(ask(longest.path(), "localhost", "").status, 200);
}
