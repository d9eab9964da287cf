//! The file of a Unix socket: made for its owner only, never in place of somebody else's, and taken
//! away again.
//!
//! * The mode is right from the first moment: Linux gives the file the mode of the socket
//!   (`unix(7)`), and that is set before there is a file. `umask` would do, too, but for all
//!   threads of the process.
//! * A file that is in the way is replaced only if it is a socket on which nobody listens, as a
//!   killed process leaves one behind.
//! * Between `bind` and `listen`, and between a check and an `unlink`, another process may do the
//!   same. Every process that goes through here holds a lock on the directory meanwhile, and gives
//!   up after a while instead of waiting for it.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, listen, socket_with,
};

use super::explain;
use super::limits::BACKLOG;

/// How often the lock is tried for, and how long to wait in between.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// A socket file of ours. Dropping it removes the file, unless it is another one by now.
#[derive(Debug)]
pub(super) struct SocketFile {
    pub(super) path: PathBuf,
    /// Device and inode. The number cannot belong to another file while our listener is open.
    id: (u64, u64),
}

/// Listens on `path`.
pub(super) fn bind(asked: &Path) -> io::Result<(UnixListener, SocketFile)> {
    // Linux would take an empty path for "any name that is free, without a file".
    if asked.as_os_str().is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "taskprof cannot listen on a Unix socket with an empty path; is the variable set that it comes from?",
        ));
    }
    // The directory of the process may be another one when the file is removed.
    let path = std::path::absolute(asked)?;
    let shown = path.display();
    let cannot = |e: Errno| explain(&e.into(), &format!("taskprof cannot listen on {shown}"));
    // As it was asked for: it may be short where the absolute one is too long.
    let address = SocketAddrUnix::new(asked).map_err(|e| match e {
        Errno::NAMETOOLONG => io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "taskprof cannot listen on {shown}: the path of a Unix socket has at most 107 bytes"
            ),
        ),
        e => cannot(e),
    })?;
    let _lock = lock(path.parent().unwrap_or(Path::new("/")))?;
    let socket = new_socket(SocketFlags::CLOEXEC).map_err(cannot)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(cannot)?;
    match rustix::net::bind(&socket, &address) {
        Err(Errno::ADDRINUSE) => {
            remove_stale(&path, &address)?;
            rustix::net::bind(&socket, &address).map_err(cannot)?;
        }
        bound => bound.map_err(cannot)?,
    }
    let file = SocketFile {
        id: id(&fs::symlink_metadata(&path)?),
        path,
    };
    listen(&socket, BACKLOG).map_err(|e| {
        explain(
            &e.into(),
            &format!("taskprof cannot listen on {}", file.path.display()),
        )
    })?;
    Ok((socket.into(), file))
}

fn new_socket(flags: SocketFlags) -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Removes the socket that a dead process has left at `path`.
fn remove_stale(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    let shown = path.display();
    let in_use = |why: &str| {
        let text = format!("taskprof does not listen on {shown}: {why}");
        Err(io::Error::new(io::ErrorKind::AddrInUse, text))
    };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(explain(&e, &format!("taskprof cannot look at {shown}"))),
    };
    if !found.file_type().is_socket() {
        return in_use(
            "there is a file that is no socket, and it is left alone; take another path, or remove it yourself",
        );
    }
    // Without waiting: a listener whose queue is full is one, too.
    let asker = new_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    match connect(&asker, address) {
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS) => {
            in_use("a process listens there already; stop it, or take another path")
        }
        Err(Errno::CONNREFUSED) => fs::remove_file(path).map_err(|e| {
            explain(
                &e,
                &format!("taskprof cannot remove {shown}, the socket of a process that is gone"),
            )
        }),
        Err(Errno::NOENT) => Ok(()),
        Err(e) => in_use(&format!(
            "there is a socket, and whether somebody listens on it cannot be found out ({e}); remove it if nobody does, or take another path"
        )),
    }
}

/// Locks the directory: one at a time makes and removes sockets in it.
fn lock(directory: &Path) -> io::Result<File> {
    let cannot = |e: &io::Error| {
        let shown = directory.display();
        explain(
            e,
            &format!("taskprof cannot lock the directory {shown} to make a socket in it"),
        )
    };
    let directory = File::open(directory).map_err(|e| cannot(&e))?;
    for _ in 0..TRIES {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(PAUSE),
            locked => {
                return locked.map(|()| directory).map_err(|e| cannot(&e.into()));
            }
        }
    }
    Err(cannot(&io::Error::new(
        io::ErrorKind::WouldBlock,
        "another process has held the lock for a second",
    )))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Without the lock, which could take time: this file is ours as long as it has our number,
        // and nobody of us replaces a live one.
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|file| id(&file) == self.id);
        if is_ours {
            // Somebody else was faster, or we may not: the next one to listen there copes with it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
