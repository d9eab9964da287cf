//! The file descriptors of this process, read from `/proc/self/fd` and `/proc/self/fdinfo`.
//!
//! Not here: the addresses and states of sockets ([`super::sockets`]).

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::sync::Arc;

use taskscope::text::Plain;

use super::sockets::{Socket, Sockets};

/// A file descriptor that was opened after the baseline and is still open. See
/// [`Options::descriptors`](crate::Options::descriptors).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Descriptor {
    /// Its number.
    pub number: u32,
    /// The target: the path of a file; `tcp`, `udp` or `unix` with addresses and state; `pipe, read
    /// end`; `eventfd`, `epoll` and so on.
    pub target: String,
    /// The descriptor of this process that is at the other end of the pipe or TCP connection.
    pub other_end: Option<u32>,
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fd {}: {}", self.number, Plain(&self.target))?;
        match self.other_end {
            Some(other) => write!(f, ", the other end is fd {other}"),
            None => Ok(()),
        }
    }
}

/// The descriptors that were open at some moment.
#[derive(Debug, Clone)]
pub(crate) struct DescriptorsBaseline(Option<Arc<HashMap<u32, Open>>>);

/// Tells an open descriptor from a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    /// The target, as `readlink` shows it.
    link: String,
    /// The lines of `fdinfo` that do not change while it is open: its inode; the id of an eventfd,
    /// because all of those share one inode.
    identity: Vec<String>,
    can_write_only: bool,
}

impl DescriptorsBaseline {
    pub(crate) fn take() -> DescriptorsBaseline {
        DescriptorsBaseline(list().map(Arc::new))
    }

    /// The descriptors that were opened later; `None` if `/proc` cannot be read.
    pub(super) fn leftovers(&self) -> Option<Vec<Descriptor>> {
        let before = self.0.as_deref()?;
        let now = list()?;
        let new = now
            .iter()
            .filter(|(number, open)| before.get(number) != Some(open));
        let mut new: Vec<(&u32, &Open)> = new.collect();
        new.sort_by_key(|(number, _)| **number);
        // All sockets, because the other end of a connection may be in the baseline.
        let sockets = match new.iter().any(|(_, open)| open.socket().is_some()) {
            true => Sockets::read(),
            false => Sockets::default(),
        };
        let describe = |(number, open): (&u32, &Open)| Descriptor {
            number: *number,
            target: open.target(&sockets),
            other_end: other_end(*number, open, &now, &sockets),
        };
        Some(new.into_iter().map(describe).collect())
    }
}

fn list() -> Option<HashMap<u32, Open>> {
    // The descriptor that the listing itself uses is closed at the end of this block.
    let numbers: Vec<u32> = {
        let entries = fs::read_dir("/proc/self/fd").ok()?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|name| name.parse().ok()).collect()
    };
    let open = numbers.into_iter().filter_map(|number| {
        let link = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
        Some((
            number,
            Open::new(link.to_string_lossy().into_owned(), &info),
        ))
    });
    Some(open.collect())
}

impl Open {
    fn new(link: String, info: &str) -> Open {
        let lines = info.lines().filter(|line| {
            let key = line.split(':').next().unwrap_or_default();
            ["ino", "mnt_id", "eventfd-id", "Pid"].contains(&key)
        });
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        Open {
            link,
            identity: lines.map(str::to_owned).collect(),
            // Flags are octal; the low bits of the last digit are the access mode.
            can_write_only: flags.is_some_and(|flags| flags.trim().ends_with(['1', '5'])),
        }
    }

    /// The inode, if it is a socket.
    fn socket(&self) -> Option<u64> {
        self.link
            .strip_prefix("socket:[")?
            .strip_suffix(']')?
            .parse()
            .ok()
    }

    fn target(&self, sockets: &Sockets) -> String {
        if let Some(inode) = self.socket() {
            return match sockets.get(inode) {
                Some(socket) => socket.to_string(),
                None => {
                    "socket of another kind than tcp, udp and unix, or of another network namespace"
                        .to_owned()
                }
            };
        }
        if self.link.starts_with("pipe:[") {
            return match self.can_write_only {
                true => "pipe, write end".to_owned(),
                false => "pipe, read end".to_owned(),
            };
        }
        match self.link.strip_prefix("anon_inode:") {
            Some("[eventpoll]") => "epoll".to_owned(),
            Some(kind) => kind.trim_matches(['[', ']']).to_owned(),
            None => self.link.clone(),
        }
    }
}

fn other_end(number: u32, open: &Open, now: &HashMap<u32, Open>, sockets: &Sockets) -> Option<u32> {
    let connected = open.socket().and_then(|inode| sockets.get(inode));
    let is_other_end = |other: &Open| match connected {
        Some(socket) => {
            let other = other.socket().and_then(|inode| sockets.get(inode));
            other.is_some_and(|other: &Socket| socket.is_connected_to(other))
        }
        None => {
            open.link.starts_with("pipe:[")
                && open.link == other.link
                && open.can_write_only != other.can_write_only
        }
    };
    let others = now
        .iter()
        .filter(|(other, open)| **other != number && is_other_end(open));
    others.map(|(other, _)| *other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eventfd_is_told_from_the_next_one_with_its_number() {
        let open = |id: u32| {
            let info = format!(
                "pos:\t0\nflags:\t02004002\nmnt_id:\t16\nino:\t5\neventfd-count: 0\neventfd-id: {id}\n"
            );
            Open::new("anon_inode:[eventfd]".into(), &info)
        };
        assert_eq!(open(1), open(1));
        assert_ne!(open(1), open(2));
        assert_eq!(open(1).target(&Sockets::default()), "eventfd");
    }

    #[test]
    fn what_changes_while_a_descriptor_is_open_does_not_make_it_a_new_one() {
        let open = |at: u32| {
            Open::new(
                "/tmp/log".into(),
                &format!("pos:\t{at}\nflags:\t0100001\nino:\t7\n"),
            )
        };
        assert_eq!(open(0), open(900));
    }

    #[test]
    fn the_ends_of_a_pipe_are_told_apart() {
        let end = |flags: &str| {
            Open::new(
                "pipe:[9]".into(),
                &format!("pos:\t0\nflags:\t{flags}\nino:\t9\n"),
            )
        };
        let (read, write) = (end("02000000"), end("02000001"));
        let sockets = Sockets::default();
        assert_eq!(read.target(&sockets), "pipe, read end");
        assert_eq!(write.target(&sockets), "pipe, write end");
        let now = HashMap::from([(3, read.clone()), (4, write)]);
        assert_eq!(other_end(3, &read, &now, &sockets), Some(4));
    }
}
