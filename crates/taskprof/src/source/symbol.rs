//! Names of addresses, for clients that have addresses only.
//!
//! Not here: how an address is looked up (`callstack`).

use super::{Seconds, Source, What, always};

pub(super) static SOURCE: Source = Source {
    name: "symbol",
    summary: "Names of code addresses: symbol?0x1234+0x5678, or the same as the body of a POST.",
    sample_types: &[],
    seconds: Seconds::Never,
    what: What::Symbol,
    ready: always,
};

/// More addresses than this are not looked up in one question.
pub const MAX_ADDRESSES: usize = 10_000;

/// Answers Go's question for symbols: addresses with `+` between them, as `0x…` or as decimal
/// numbers.
///
/// The first line is `num_symbols: 1`, which says that there are symbols at all; then follows a
/// line `0xADDRESS name` for each address that has a name. An address is that of an instruction, as
/// [`pprof`](crate::write::pprof) writes them. Whatever is no number is left out, as in Go, and so
/// is everything after [`MAX_ADDRESSES`].
///
/// # Examples
///
/// ```
/// assert_eq!(taskprof::source::symbols("0x10+nothing"), "num_symbols: 1\n");
/// ```
pub fn symbols(addresses: &str) -> String {
    let mut out = "num_symbols: 1\n".to_owned();
    for text in addresses.split('+').take(MAX_ADDRESSES) {
        let text = text.trim();
        let address = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) => usize::from_str_radix(hex, 16),
            None => text.parse(),
        };
        let Some(next) = address.ok().and_then(|address| address.checked_add(1)) else {
            continue;
        };
        // The lookup is one for return addresses: it subtracts one.
        let symbols = callstack::symbolize(next);
        if let Some(name) = symbols.first().and_then(|symbol| symbol.name.as_deref()) {
            out.push_str(&format!(
                "{:#x} {}\n",
                next - 1,
                taskscope::text::Plain(name)
            ));
        }
    }
    out
}
