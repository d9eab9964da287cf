//! The hosts that a request may name: a check that keeps DNS rebinding out.
//!
//! A loopback address keeps other machines out, but not the browser on this one: a page can point
//! its own name at 127.0.0.1 and then read what it gets. Its requests still carry that name. A name
//! is therefore answered only if it is known; an address cannot be pointed anywhere else. The port
//! is not compared: a tunnel changes it, and a page on another port is another origin
//! (`origin.rs`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::Version;
use axum::http::header::HOST;

use crate::http::HttpError;

/// The hosts that are answered to, besides localhost and loopback addresses.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// Any address; for a server that others can reach.
    pub(super) any_address: bool,
    /// In lower case, without a dot at the end.
    pub(super) names: Vec<String>,
}

/// The part of an authority before the port.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case, without a dot at the end.
    Name(String),
}

impl Hosts {
    /// Checks the `Host` header, and the request line if that names a host, too: each has to be one
    /// that is answered to. HTTP/2 has `:authority` in place of both, which hyper puts where it
    /// puts the host of a request line.
    pub(super) fn check(&self, request: &Request) -> Result<(), HttpError> {
        let mut values = request.headers().get_all(HOST).iter();
        match (values.next(), values.next()) {
            // RFC 9112 demands the header. Before HTTP/1.1 there is none, and no browser speaks so.
            (None, _) if request.version() == Version::HTTP_11 => {
                return Err(HttpError::bad_request(
                    "the request has no Host header; HTTP/1.1 demands one",
                ));
            }
            // A client may leave it out that converts a request of HTTP/1.0; there is none that is
            // known to.
            (None, _)
                if request.version() > Version::HTTP_11 && request.uri().authority().is_none() =>
            {
                return Err(HttpError::bad_request(
                    "the request says nowhere which host it is for; over HTTP/2, send :authority",
                ));
            }
            (_, Some(_)) => {
                return Err(HttpError::bad_request(
                    "the request has more than one Host header",
                ));
            }
            (None, None) => {}
            (Some(host), None) => self.check_authority(host.as_bytes())?,
        }
        match request.uri().authority() {
            Some(authority) => self.check_authority(authority.as_str().as_bytes()),
            None => Ok(()),
        }
    }

    fn check_authority(&self, authority: &[u8]) -> Result<(), HttpError> {
        let is_answered = match parse(authority) {
            Some(Host::Address(address)) => address.is_loopback() || self.any_address,
            Some(Host::Name(name)) => name == "localhost" || self.names.contains(&name),
            None => false,
        };
        if is_answered {
            return Ok(());
        }
        let addresses = if self.any_address {
            "addresses"
        } else {
            "loopback addresses"
        };
        let names = if self.names.is_empty() {
            ""
        } else {
            " and the names that it was told"
        };
        Err(HttpError::forbidden(format!(
            "this server answers only to localhost and {addresses}{names}; the Host header of the request names another"
        )))
    }
}

/// Parses a name for [`Hosts::names`]; `None` for an address, and for a name with a port.
pub(super) fn name(text: &str) -> Option<String> {
    match parse(text.as_bytes()) {
        Some(Host::Name(name)) if !text.contains(':') => Some(name),
        _ => None,
    }
}

/// Parses an authority, as strictly as browsers write it: `name`, `1.2.3.4` or `[::1]`, and a port.
/// No user, no escapes, no other spelling of an address.
fn parse(authority: &[u8]) -> Option<Host> {
    let authority = std::str::from_utf8(authority).ok()?;
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let port = port.strip_prefix(':').or(port.is_empty().then_some(""))?;
        let address: Ipv6Addr = address.parse().ok()?;
        return is_port(port).then_some(Host::Address(address.into()));
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    if !is_port(port) {
        return None;
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let mut labels = name.split('.');
    // A name that ends in a number is an address in another spelling (WHATWG URL), and none that
    // browsers send.
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = labels
        .clone()
        .all(|label| !label.is_empty() && label.bytes().all(legal))
        && !labels.next_back().is_some_and(is_number);
    is_name.then(|| Host::Name(name.to_ascii_lowercase()))
}

fn is_port(port: &str) -> bool {
    port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}
