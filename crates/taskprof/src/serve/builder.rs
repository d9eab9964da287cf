//! The builder of a server: its configuration, and the refusals to start with one that cannot be.
//!
//! Not here: the server that runs (`running.rs`), what the limits do (the table in `mod.rs`).

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::console::ConsoleService;
use super::host::{self, Hosts};
use super::limits::{BACKLOG, Limits};
use super::running::{Running, Server, Socket, UnixServer};
use super::{app, explain, unix};
#[cfg(feature = "console")]
use crate::console::Console;
use crate::guard::Token;

/// Default of [`ServerBuilder::header_timeout`]: 15 s.
pub const DEFAULT_HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// Default of [`ServerBuilder::write_timeout`]: 30 s.
pub const DEFAULT_WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Default of [`ServerBuilder::max_connections`]: 256.
pub const DEFAULT_MAX_CONNECTIONS: usize = 256;

/// The longest time limit; a longer one is none.
const LONGEST: Duration = Duration::from_secs(3600);

/// Configuration of a server: what to serve, to whom and within which limits. Made by
/// [`server`](crate::server()).
///
/// Errors in it are reported by [`bind`](Self::bind) and [`bind_unix`](Self::bind_unix), not where
/// they are made.
///
/// # Examples
///
/// On this machine, for those who know the token:
///
/// ```
/// # fn secret() -> std::io::Result<String> { Ok("6f1ed002ab5595859014ebf0951522d9\n".to_owned()) }
/// let token = secret()?; // from a file, or from the environment
/// let server = taskprof::server()
///     .bearer_token(token.trim())
///     .bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// ```text
/// curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:6061/debug/profile/tasks?debug=1
/// go tool pprof http://any:$TOKEN@127.0.0.1:6061/debug/profile/cpu
/// ```
///
/// A browser asks for a name and a password: the token is the password, of any name.
///
/// On every address, for other machines:
///
/// ```no_run
/// # let token = "";
/// let server = taskprof::server()
///     .allow_remote()
///     .bearer_token(token)
///     .allowed_host("orders-7.internal")
///     .bind("0.0.0.0:6061")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// For one user of this machine, or for a proxy:
///
/// ```no_run
/// let server = taskprof::server().bind_unix("/run/orders/profile.sock")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Limitations
///
/// There is no TLS. What crosses a network goes through `ssh -L`, or through a proxy that speaks
/// TLS and comes in on a loopback address or a Unix socket.
///
/// A client that reads slowly, but reads, keeps its connection. As many of them as
/// [`max_connections`](Self::max_connections) are all there is: everybody else gets 503 with
/// `Retry-After`.
#[must_use = "nothing is served before `bind` or `bind_unix`"]
#[derive(Debug)]
pub struct ServerBuilder {
    allow_remote: bool,
    token: Option<Token>,
    names: Vec<String>,
    limits: Limits,
    console: ConsoleService,
    /// The first error in the configuration.
    wrong: Option<String>,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        ServerBuilder {
            allow_remote: false,
            token: None,
            names: Vec::new(),
            limits: Limits {
                header_timeout: DEFAULT_HEADER_TIMEOUT,
                write_timeout: DEFAULT_WRITE_TIMEOUT,
                max_connections: DEFAULT_MAX_CONNECTIONS,
                #[cfg(feature = "console")]
                http2: false,
            },
            console: ConsoleService::default(),
            wrong: None,
        }
    }

    /// Allows addresses that other machines can reach; with a [`bearer_token`](Self::bearer_token),
    /// or not at all.
    ///
    /// Such a server answers requests to any address, and to the names of
    /// [`allowed_host`](Self::allowed_host).
    ///
    /// # Limitations
    ///
    /// There is no TLS: over plain HTTP everybody on the way can read the token and the profiles,
    /// and use the token. Put a proxy that speaks TLS before it, or use `ssh -L` and a loopback
    /// address; then this is not needed.
    pub fn allow_remote(mut self) -> Self {
        self.allow_remote = true;
        self
    }

    /// Answers only requests that show this token, on whatever address; everything else gets 401
    /// and a sentence.
    ///
    /// It is shown as `Authorization: Bearer <token>`, or as the password of HTTP Basic with any
    /// user name. Only its SHA-256 is kept, and compared in constant time; it appears in no
    /// `Debug`, error or answer. It is not taken from the query string, where it would end up in
    /// logs and histories. The rules for a token are those of
    /// [`require_bearer`](crate::require_bearer()).
    ///
    /// # Limitations
    ///
    /// `go tool pprof` may print the address that it fetches from, with the password in it, and
    /// others can see it in the list of processes.
    pub fn bearer_token(mut self, token: impl AsRef<[u8]>) -> Self {
        match Token::new(token.as_ref()) {
            Ok(token) => self.token = Some(token),
            Err(e) => self.is_wrong(e),
        }
        self
    }

    /// Answers requests to this host name, too; call it once for each name.
    ///
    /// A server answers to `localhost` and to addresses: to any with
    /// [`allow_remote`](Self::allow_remote), otherwise to loopback ones. A name is only answered to
    /// if it is given here, because a page of anybody can make *its* name lead here (DNS
    /// rebinding), and a browser then takes the answer for the page's own. Upper and lower case,
    /// and a dot at the end, make no difference. A Unix socket answers to every name: none leads
    /// there.
    pub fn allowed_host(mut self, name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        match host::name(name) {
            Some(name) => self.names.push(name),
            None => self.is_wrong(format!(
                "{name:?} cannot be an allowed host: give a name as in app.example.com, without a scheme, a port or a wildcard; addresses need \
                 not be given"
            )),
        }
        self
    }

    /// Sets how long a request may take to arrive, counted from the connection or from the end of
    /// the answer before; its body may take as long again.
    ///
    /// The default is [`DEFAULT_HEADER_TIMEOUT`]; from a millisecond to an hour. It is also how
    /// long a connection may be idle. A small value frees connections early; one that is too small
    /// cuts off clients far away.
    pub fn header_timeout(mut self, limit: Duration) -> Self {
        self.check("header_timeout", limit);
        self.limits.header_timeout = limit;
        self
    }

    /// Sets how long a client may take nothing of its answer before it is cut off.
    ///
    /// The default is [`DEFAULT_WRITE_TIMEOUT`]; from a millisecond to an hour. Until then it keeps
    /// its connection, and a thread if the answer is written while it reads. The time that an
    /// answer takes altogether is not limited.
    pub fn write_timeout(mut self, limit: Duration) -> Self {
        self.check("write_timeout", limit);
        self.limits.write_timeout = limit;
        self
    }

    /// Sets how many connections may be open at the same time; at least 1.
    ///
    /// The default is [`DEFAULT_MAX_CONNECTIONS`]. One more takes the place of the one that has
    /// been idle for longest, at least for a quarter of a second, or else of the one whose client
    /// has been slowest, at least for two seconds, to take the next 64 KB of its answer. If all of
    /// them stay busy with something else for a second, it gets 503, unless it asks for the metrics
    /// or the overview: sixteen more are let in for those. Each may take a file descriptor and up
    /// to 64 KB for the head of a request.
    pub fn max_connections(mut self, number: usize) -> Self {
        if number == 0 {
            self.is_wrong("max_connections must be at least 1");
        }
        self.limits.max_connections = number;
        self
    }

    /// Also answers `tokio-console` on the same port (feature `console`); see
    /// [`console`](crate::console) for what it takes.
    ///
    /// Such a server speaks HTTP/2 besides HTTP/1, without TLS and without being asked (prior
    /// knowledge); the pages answer over both. All limits hold for both; of an answer over HTTP/2,
    /// a client has to take 16 KB within the write timeout.
    ///
    /// With a [`bearer_token`](Self::bearer_token) the console is refused to whoever does not show
    /// it, and `tokio-console` cannot.
    ///
    /// # Errors
    ///
    /// `InvalidInput` from [`bind`](Self::bind) and [`bind_unix`](Self::bind_unix) if no task would
    /// be shown: if the layer is not installed, or if the subscriber of the calling thread filters
    /// out what tokio says.
    #[cfg(feature = "console")]
    pub fn console(mut self, console: Console) -> Self {
        self.console.console = Some(console);
        self
    }

    fn check(&mut self, name: &str, limit: Duration) {
        if !(Duration::from_millis(1)..=LONGEST).contains(&limit) {
            self.is_wrong(format!(
                "{name} must be from a millisecond to an hour, not {limit:?}"
            ));
        }
    }

    fn is_wrong(&mut self, why: impl Display) {
        self.wrong.get_or_insert_with(|| why.to_string());
    }

    /// Serves the endpoint at `http://addr/debug/profile` until the returned [`Server`] is dropped;
    /// see [`serve`](crate::serve()).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an error in the configuration, as a token that is too short, and for an
    /// address that is not a loopback one without both [`allow_remote`](Self::allow_remote) and
    /// [`bearer_token`](Self::bearer_token).
    ///
    /// Otherwise whatever the system says when the address cannot be resolved or bound, with the
    /// address in the text.
    pub fn bind(self, addr: impl ToSocketAddrs) -> io::Result<Server> {
        self.refuse_what_is_wrong()?;
        let addrs: Vec<SocketAddr> = addr
            .to_socket_addrs()
            .map_err(|e| {
                explain(
                    &e,
                    "taskprof cannot resolve the address it should listen on",
                )
            })?
            .collect();
        let remote = addrs.iter().find(|addr| !addr.ip().is_loopback());
        if let Some(remote) = remote {
            self.refuse_remote(remote)?;
        }
        let listed: Vec<String> = addrs.iter().map(ToString::to_string).collect();
        let listed = listed.join(", ");
        let listener = TcpListener::bind(&*addrs)
            .map_err(|e| explain(&e, &format!("taskprof cannot listen on {listed}")))?;
        // The standard library asks for 128. Those who find it full try again after a second, after
        // two more, and so on.
        rustix::net::listen(&listener, BACKLOG)?;
        let local_addr = listener.local_addr()?;
        let hosts = Hosts {
            any_address: remote.is_some(),
            names: self.names,
        };
        let (console, routes) = self.console.start()?;
        let app = console
            .unobserved()
            .run(|| app(Some(hosts), self.token, routes));
        let running = Running::start(Socket::Tcp(listener), app, self.limits, console)?;
        Ok(Server {
            local_addr,
            running,
        })
    }

    /// Serves the endpoint on a Unix socket until the returned [`UnixServer`] is dropped, which
    /// removes the file.
    ///
    /// The file is for this user only (mode 0600) from its first moment on; `chmod` it afterwards
    /// for others, best in a directory that says who they are. A socket that a killed process has
    /// left behind is replaced; a file that is no socket, and a socket that somebody listens on,
    /// are not. A token that was given is demanded here, too.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an error in the configuration, and for a path that is empty or longer
    /// than 107 bytes. `AddrInUse` if something is in the way that is not replaced. Otherwise
    /// whatever the system says, with the path in the text.
    ///
    /// # Limitations
    ///
    /// `go tool pprof` cannot ask a Unix socket: fetch the profile with `curl --unix-socket`, or
    /// forward a port with `ssh -L 6061:/run/orders/profile.sock host`.
    ///
    /// A path that others can write to is theirs to replace.
    pub fn bind_unix(self, path: impl AsRef<Path>) -> io::Result<UnixServer> {
        self.refuse_what_is_wrong()?;
        let (listener, file) = unix::bind(path.as_ref())?;
        let path = file.path.clone();
        let socket = Socket::Unix(listener, file);
        let (console, routes) = self.console.start()?;
        let app = console.unobserved().run(|| app(None, self.token, routes));
        let running = Running::start(socket, app, self.limits, console)?;
        Ok(UnixServer { path, running })
    }

    fn refuse_what_is_wrong(&self) -> io::Result<()> {
        let refused = |why: &str| Err(invalid(format!("taskprof does not start a server: {why}")));
        match &self.wrong {
            Some(why) => refused(why),
            None => self.console.check().or_else(refused),
        }
    }

    fn refuse_remote(&self, addr: &SocketAddr) -> io::Result<()> {
        let missing = match (self.allow_remote, &self.token) {
            (true, Some(_)) => return Ok(()),
            (true, None) => "bearer_token(..) is missing",
            (false, Some(_)) => "allow_remote() is missing",
            (false, None) => "allow_remote() and bearer_token(..) are missing",
        };
        Err(invalid(format!(
            "taskprof does not listen on {addr}: it is not a loopback address, and {missing} on taskprof::server(); \
             use 127.0.0.1 or [::1], or nest taskprof::router() behind your own access control"
        )))
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
