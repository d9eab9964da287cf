//! The output on the console: plain text, a line at a time, readable when piped.
//!
//! A console that has gone away (`orders | head`) is no reason to stop serving, so writing to it
//! cannot fail.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;

use orders::Mode;

pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

pub(crate) fn complain(error: &io::Error) {
    let _ = writeln!(io::stderr().lock(), "orders: {error}");
}

/// Says what this is and where to look.
pub(crate) fn announce(mode: Mode, shop: SocketAddr, profiles: SocketAddr, console: bool) {
    let what = match mode {
        Mode::Leaky => "a shop that leaks tasks (--fixed: the same shop without the mistakes)",
        Mode::Fixed => "a shop without the mistakes that it makes when started without --fixed",
    };
    let attach = if console {
        format!("\x20 console    tokio-console http://{profiles}\n")
    } else {
        String::new()
    };
    let profiles = format!("http://{profiles}/debug/profile");
    say(format_args!(
        "orders: {what}\n\
         \x20 shop       http://{shop}  POST /orders, GET /orders/{{id}}, GET /healthz\n\
         \x20 profiles   {profiles}\n\
         \x20 tasks      {profiles}/tasks?debug=1  grouped by spawn site and stack\n\
         \x20            {profiles}/tasks?debug=2  each task with its async stack\n\
         \x20 cpu        {profiles}/cpu?seconds=5&format=svg  a flame graph\n\
         {attach}Ctrl-C ends it."
    ));
}
