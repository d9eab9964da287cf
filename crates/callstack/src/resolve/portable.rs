//! Symbols by the `backtrace` crate, for platforms whose module list this crate does not read.

use super::{Lookup, RawSymbol};

pub(crate) fn release() {
    backtrace::clear_symbol_cache();
}

/// Stands for the list of modules, which the `backtrace` crate keeps.
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
        // Miri resolves only the pointers that it gave out itself, and takes any other for an
        // error.
        if cfg!(miri) {
            return Lookup::Nowhere;
        }
        let mut symbols = Vec::new();
        // `resolve` expects a return address and subtracts one, which our caller has done.
        let return_address = address.wrapping_add(1);
        backtrace::resolve(return_address as *mut _, |symbol| {
            symbols.push(RawSymbol {
                name: symbol.name().map(|name| format!("{name:#}")),
                file: symbol
                    .filename()
                    .map(|file| file.to_string_lossy().into_owned()),
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
