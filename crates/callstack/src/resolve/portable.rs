//! Symbols by the `backtrace` crate, for platforms whose module list this crate does not read.

use std::time::Duration;

use super::Lookup;
use crate::Symbol;

pub(crate) fn release() {
    backtrace::clear_symbol_cache();
}

/// Nobody here knows when the `backtrace` crate was used last: it keeps what it has until it is told otherwise.
pub(crate) fn release_idle(_idle: Duration) {}

/// Nothing: the `backtrace` crate keeps the list.
pub(crate) struct Modules;

impl Modules {
    pub(crate) fn now() -> Self {
        Self
    }

    pub(crate) fn is_current(&self) -> bool {
        true
    }

    /// The symbols at `address`.
    pub(crate) fn symbols(&self, address: usize) -> Lookup {
        // Miri resolves only the pointers that it gave out itself, and takes any other for an error.
        if cfg!(miri) {
            return Lookup::Nowhere;
        }
        let mut symbols = Vec::new();
        // `resolve` expects a return address and subtracts one, which our caller has done.
        let return_address = address.wrapping_add(1);
        backtrace::resolve(return_address as *mut _, |symbol| {
            symbols.push(Symbol {
                name: symbol.name().map(|name| format!("{name:#}").into()),
                file: symbol.filename().map(|file| file.to_string_lossy().into()),
                line: symbol.lineno(),
                column: symbol.colno(),
                inlined: true,
            });
        });
        let Some(physical) = symbols.last_mut() else {
            return Lookup::Nowhere;
        };
        physical.inlined = false;
        Lookup::Symbols(symbols)
    }
}
