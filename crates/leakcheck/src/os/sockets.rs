//! The kernel's tables of sockets: addresses and states by inode.
//!
//! Not here: which descriptor has which inode ([`super::descriptors`]).

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The flag of a listening socket in the table of unix sockets: `__SO_ACCEPTCON`.
const LISTENING: u32 = 0x1_0000;

/// The sockets of this network namespace by inode.
#[derive(Debug, Default)]
pub(super) struct Sockets(HashMap<u64, Socket>);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Socket {
    Internet {
        protocol: &'static str,
        local: SocketAddr,
        peer: Option<SocketAddr>,
        state: &'static str,
    },
    Unix {
        kind: &'static str,
        /// `None` for a socket without a name.
        path: Option<String>,
        state: &'static str,
    },
}

impl Socket {
    /// Whether these are the ends of one TCP connection.
    pub(super) fn is_connected_to(&self, other: &Socket) -> bool {
        match (self, other) {
            (
                Socket::Internet {
                    protocol: "tcp",
                    local,
                    peer,
                    ..
                },
                Socket::Internet {
                    protocol: "tcp",
                    local: other_local,
                    peer: other_peer,
                    ..
                },
            ) => *peer == Some(*other_local) && *other_peer == Some(*local),
            _ => false,
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self {
            Socket::Internet {
                protocol,
                local,
                peer,
                state,
            } => {
                write!(f, "{protocol} {local}")?;
                if let Some(peer) = peer {
                    write!(f, " -> {peer}")?;
                }
                state
            }
            Socket::Unix { kind, path, state } => {
                write!(f, "unix {kind}")?;
                match path {
                    Some(path) => write!(f, " {path}")?,
                    None => write!(f, " without a name")?,
                }
                state
            }
        };
        match *state {
            "" => Ok(()),
            state => write!(f, " {state}"),
        }
    }
}

impl Sockets {
    /// Reads all tables. One that cannot be read counts as empty.
    pub(super) fn read() -> Sockets {
        let mut sockets = HashMap::new();
        let table = |name: &str| fs::read(format!("/proc/self/net/{name}")).unwrap_or_default();
        for (name, protocol) in [
            ("tcp", "tcp"),
            ("tcp6", "tcp"),
            ("udp", "udp"),
            ("udp6", "udp"),
        ] {
            let table = table(name);
            let table = String::from_utf8_lossy(&table);
            sockets.extend(
                table
                    .lines()
                    .skip(1)
                    .filter_map(|line| internet(protocol, line)),
            );
        }
        let table = table("unix");
        sockets.extend(
            String::from_utf8_lossy(&table)
                .lines()
                .skip(1)
                .filter_map(unix),
        );
        // Sockets that no descriptor leads to any more have inode 0.
        sockets.remove(&0);
        Sockets(sockets)
    }

    pub(super) fn get(&self, inode: u64) -> Option<&Socket> {
        self.0.get(&inode)
    }
}

/// Parses `0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 640 ...`
fn internet(protocol: &'static str, line: &str) -> Option<(u64, Socket)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = address(fields.next()?)?;
    let peer = address(fields.next()?)?;
    let state = fields.next()?;
    let inode = fields.nth(5)?.parse().ok()?;
    let socket = Socket::Internet {
        protocol,
        local,
        peer: (peer.port() != 0).then_some(peer),
        state: if protocol == "tcp" {
            tcp_state(state)
        } else {
            ""
        },
    };
    Some((inode, socket))
}

/// Parses an address and its port. The address is hexadecimal, in words of four bytes, each in the
/// byte order of this machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let address = match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(bytes) => IpAddr::V4(Ipv4Addr::from(bytes)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    // An IPv4 peer of an IPv6 socket becomes an IPv4 address, so that both ends have the same one.
    Some(SocketAddr::new(address.to_canonical(), port))
}

fn tcp_state(number: &str) -> &'static str {
    match number {
        "01" => "ESTABLISHED",
        "02" => "SYN_SENT",
        "03" => "SYN_RECV",
        "04" => "FIN_WAIT1",
        "05" => "FIN_WAIT2",
        "06" => "TIME_WAIT",
        "07" => "CLOSE",
        "08" => "CLOSE_WAIT",
        "09" => "LAST_ACK",
        "0A" => "LISTEN",
        "0B" => "CLOSING",
        _ => "",
    }
}

/// Parses `0000000000000000: 00000003 00000000 00010000 0001 01 1057 /run/socket`
fn unix(line: &str) -> Option<(u64, Socket)> {
    let mut fields = line.splitn(8, ' ').skip(3);
    let flags = u32::from_str_radix(fields.next()?, 16).ok()?;
    let kind = match fields.next()? {
        "0001" => "stream",
        "0002" => "datagram",
        "0005" => "packets",
        _ => "",
    };
    let state = match fields.next()? {
        _ if flags & LISTENING != 0 => "LISTEN",
        "03" => "CONNECTED",
        _ => "",
    };
    // The inode is padded on the left; the rest of the line is the path.
    let rest = fields.collect::<Vec<_>>().join(" ");
    let rest = rest.trim_start();
    let (inode, path) = match rest.split_once(' ') {
        Some((inode, path)) => (inode, Some(path.to_owned())),
        None => (rest, None),
    };
    Some((inode.parse().ok()?, Socket::Unix { kind, path, state }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a little-endian machine writes it.
    #[cfg(target_endian = "little")]
    #[test]
    fn addresses_and_states_are_read() {
        let text = |protocol, line: &str| {
            let (inode, socket) = internet(protocol, line).unwrap();
            format!("{inode}: {socket}")
        };
        let rest = "00000000:00000000 00:00000000 00000000     0        0 640 1 00000000ab68332f 100 0 0 10 0";
        assert_eq!(
            text(
                "tcp",
                &format!("   0: 0100007F:07E8 00000000:0000 0A {rest}")
            ),
            "640: tcp 127.0.0.1:2024 LISTEN"
        );
        assert_eq!(
            text(
                "tcp",
                &format!("   1: 0100007F:07E8 0200007F:0050 08 {rest}")
            ),
            "640: tcp 127.0.0.1:2024 -> 127.0.0.2:80 CLOSE_WAIT"
        );
        let loopback = "00000000000000000000000001000000";
        let mapped = "0000000000000000FFFF00000100007F";
        assert_eq!(
            text(
                "tcp",
                &format!("   1: {loopback}:07E8 {mapped}:0050 01 {rest}")
            ),
            "640: tcp [::1]:2024 -> 127.0.0.1:80 ESTABLISHED"
        );
        assert_eq!(
            text(
                "udp",
                &format!("   1: 00000000:0035 00000000:0000 07 {rest}")
            ),
            "640: udp 0.0.0.0:53"
        );
        assert_eq!(internet("tcp", "   1: 0100007F 00000000:0000 0A"), None);
    }

    #[test]
    fn unix_sockets_are_read_with_and_without_a_name() {
        let text = |line: &str| {
            let (inode, socket) = unix(line).unwrap();
            format!("{inode}: {socket}")
        };
        assert_eq!(
            text("0000000000000000: 00000002 00000000 00010000 0001 01 77 /run/my socket"),
            "77: unix stream /run/my socket LISTEN"
        );
        assert_eq!(
            text("0000000000000000: 00000003 00000000 00000000 0002 03   1057"),
            "1057: unix datagram without a name CONNECTED"
        );
    }
}
