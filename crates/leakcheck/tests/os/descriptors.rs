//! The file descriptors that count as leaks.

use std::fs::File;
use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use leakcheck::{Leaks, Options, assert_none_in};

use crate::{FOREVER, current_thread, leaks, multi_thread};

/// The line of the report about one that is left.
#[track_caller]
fn target(leaks: &Leaks, open: &impl AsRawFd) -> String {
    let number = open.as_raw_fd() as u32;
    let mut left = leaks.descriptors().iter();
    let left = left.find(|left| left.number == number);
    left.unwrap_or_else(|| panic!("no fd {number} in {leaks}"))
        .target
        .clone()
}

/// The bytes that both ends of a connection know.
fn connection() -> (TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = listener.accept().unwrap().0;
    (listener, client, server)
}

alone! {
    fn a_file_that_was_left_open_is_named() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let file = File::open("/proc/self/cmdline").unwrap();
        let leaks = leaks(&runtime, &options);
        assert_eq!((leaks.count(), leaks.descriptors().len(), leaks.threads().len()), (0, 1, 0), "{leaks}");
        let path = format!("/proc/{}/cmdline", std::process::id());
        assert_eq!(target(&leaks, &file), path);
        let text = leaks.to_string();
        assert!(text.starts_with("leakcheck: 1 file descriptor is still alive after "), "{text}");
        assert!(text.contains(&format!("\n   fd {}: {path}\n", file.as_raw_fd())), "{text}");
        drop(file);
        assert_none_in!(&runtime, options.settle(FOREVER));
    }

    fn descriptors_are_looked_at_on_request_only() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let _file = File::open("/proc/self/cmdline").unwrap();
        assert_none_in!(&runtime);
        assert_eq!(leaks(&runtime, &options).descriptors().len(), 1);
    }

    fn a_descriptor_that_was_open_before_is_no_leak() {
        let runtime = current_thread();
        let _file = File::open("/proc/self/cmdline").unwrap();
        let options = Options::new().descriptors();
        assert_none_in!(&runtime, options.clone());
        let later = File::open("/proc/self/environ").unwrap();
        let leaks = leaks(&runtime, &options);
        assert!(target(&leaks, &later).ends_with("/environ"));
        assert_eq!(leaks.descriptors().len(), 1, "{leaks}");
    }

    fn another_file_with_the_number_of_one_before_is_a_leak() {
        let runtime = current_thread();
        let first = File::open("/proc/self/cmdline").unwrap();
        let number = first.as_raw_fd();
        let options = Options::new().descriptors();
        drop(first);
        let second = File::open("/proc/self/environ").unwrap();
        assert_eq!(second.as_raw_fd(), number);
        assert!(target(&leaks(&runtime, &options), &second).ends_with("/environ"));
    }

    fn a_descriptor_that_is_closed_soon_is_waited_for() {
        let runtime = current_thread();
        let options = Options::new().descriptors().settle(FOREVER);
        let file = File::open("/proc/self/cmdline").unwrap();
        let closing = runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            drop(file);
        });
        assert_none_in!(&runtime, options);
        assert!(closing.is_finished());
    }

    fn a_tcp_listener_has_its_address_and_state() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        assert_eq!(target(&leaks(&runtime, &options), &listener), format!("tcp {at} LISTEN"));
        drop(listener);
        assert_none_in!(&runtime, options.settle(FOREVER));
    }

    fn a_tcp_connection_has_its_peer_and_knows_its_other_end() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let (_listener, client, server) = connection();
        let leaks = leaks(&runtime, &options);
        assert_eq!(leaks.descriptors().len(), 3, "{leaks}");
        let (here, there) = (client.local_addr().unwrap(), server.local_addr().unwrap());
        assert_eq!(target(&leaks, &client), format!("tcp {here} -> {there} ESTABLISHED"));
        assert_eq!(target(&leaks, &server), format!("tcp {there} -> {here} ESTABLISHED"));
        let line = format!("ESTABLISHED, the other end is fd {}\n", client.as_raw_fd());
        assert!(leaks.to_string().contains(&line), "{leaks}");
    }

    fn a_connection_that_the_peer_has_closed_says_so() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let (listener, mut client, server) = connection();
        server.shutdown(Shutdown::Both).unwrap();
        drop((server, listener));
        // The end has arrived here.
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        let target = target(&leaks(&runtime, &options), &client);
        assert!(target.ends_with(" CLOSE_WAIT"), "{target}");
    }

    fn an_ipv6_socket_is_read() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let Ok(listener) = TcpListener::bind("[::1]:0") else {
            // No IPv6 here.
            return;
        };
        let at = listener.local_addr().unwrap();
        assert_eq!(target(&leaks(&runtime, &options), &listener), format!("tcp {at} LISTEN"));
    }

    fn a_udp_socket_has_its_addresses() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let (one, other) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        one.connect(other.local_addr().unwrap()).unwrap();
        let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
        let leaks = leaks(&runtime, &options);
        assert_eq!(target(&leaks, &one), format!("udp {here} -> {there}"));
        assert_eq!(target(&leaks, &other), format!("udp {there}"));
    }

    fn unix_sockets_have_their_names() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let path = std::env::temp_dir().join(format!("leakcheck {}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let (one, _other) = UnixStream::pair().unwrap();
        let leaks = leaks(&runtime, &options);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(target(&leaks, &listener), format!("unix stream {} LISTEN", path.display()));
        assert_eq!(target(&leaks, &one), "unix stream without a name CONNECTED");
    }

    fn a_pipe_knows_its_other_end() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let (reader, writer) = io::pipe().unwrap();
        let both = leaks(&runtime, &options);
        assert_eq!(target(&both, &reader), "pipe, read end");
        assert_eq!(target(&both, &writer), "pipe, write end");
        assert_eq!(both.descriptors().iter().filter(|left| left.other_end.is_some()).count(), 2);
        drop(writer);
        let one = leaks(&runtime, &options);
        assert_eq!(one.descriptors()[0].other_end, None);
    }

    fn a_runtime_that_was_not_shut_down_is_found_by_its_descriptors() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let left = multi_thread();
        let found = leaks(&runtime, &options);
        let targets: Vec<&str> = found.descriptors().iter().map(|left| left.target.as_str()).collect();
        assert!(targets.contains(&"epoll") && targets.contains(&"eventfd"), "{targets:?}");
        drop(left);
        assert_none_in!(&runtime, options.settle(FOREVER));
    }

    /// The list of runtimes must not keep them open.
    fn a_runtime_with_tasks_that_was_shut_down_leaves_no_descriptor() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let other = multi_thread();
        other.block_on(async { taskscope::spawn(async {}).await.unwrap() });
        assert!(!leaks(&runtime, &options).descriptors().is_empty());
        drop(other);
        assert_none_in!(&runtime, options.settle(FOREVER));
    }

    fn the_descriptor_of_a_stuck_task_is_reported_with_the_task() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _entered = runtime.enter();
        let task = taskscope::spawn(async move {
            std::future::pending::<()>().await;
            drop(listener);
        });
        let leaks = leaks(&runtime, &options);
        assert_eq!((leaks.count(), leaks.descriptors().len()), (1, 1), "{leaks}");
        let text = leaks.to_string();
        assert!(text.starts_with("leakcheck: 1 task and 1 file descriptor are still alive"), "{text}");
        task.abort();
    }

    fn descriptors_are_ignored_by_target() {
        let runtime = current_thread();
        let options = Options::new().descriptors();
        let _left = (TcpListener::bind("127.0.0.1:0").unwrap(), File::open("/proc/self/cmdline").unwrap());
        let ignoring = options.clone()
            .ignore_descriptor("tcp 127.0.0.1:* LISTEN", "the fixture's server")
            .ignore_descriptor("/proc/*/cmdline", "the fixture's file")
            .deny_unused();
        assert_none_in!(&runtime, ignoring);
        let one = leaks(&runtime, &options.clone().ignore_descriptor("tcp *", "the fixture's server"));
        assert_eq!(one.descriptors().len(), 1, "{one}");
        let both = leaks(&runtime, &options.ignore_descriptor("udp *", "matches nothing"));
        assert_eq!(both.descriptors().len(), 2, "{both}");
        assert_eq!(both.unused_rules(), ["descriptor \"udp *\" (matches nothing)"]);
    }
}
