//! Names of symbols, for comparing.
#![allow(unreachable_pub)]

use std::sync::Arc;

use callstack::Symbol;

/// The names of symbols, `?` for none.
pub fn names(symbols: &[Arc<Symbol>]) -> Vec<&str> {
    symbols
        .iter()
        .map(|symbol| symbol.name.as_deref().unwrap_or("?"))
        .collect()
}
