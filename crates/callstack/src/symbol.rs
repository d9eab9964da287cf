//! Symbols, and the process-wide cache from code addresses to them.
//!
//! # Invariant of the cache
//!
//! An entry is valid for the modules it was looked up in. It is inserted under the lock of its shard, and only if the
//! module list is still the one the lookup has started with; [`forget_libraries`] runs after a new list was published and
//! takes every lock. So whatever is inserted too late is either refused or removed.
//!
//! Not here: how an address is looked up ([`crate::resolve`]). No lock of the cache is held during a lookup.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::resolve::{self, Lookup};

/// One function at one place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Symbol {
    /// Demangled, without the hash. `None`: nothing is known about this address.
    pub name: Option<Arc<str>>,
    /// As in the debug information; absolute in most builds.
    pub file: Option<Arc<str>>,
    /// Counted from 1.
    pub line: Option<u32>,
    /// Counted from 1.
    pub column: Option<u32>,
    /// True when this function was inlined into the next (outer) symbol of the same address.
    pub inlined: bool,
}

impl Symbol {
    pub(crate) const UNKNOWN: Symbol = Symbol {
        name: None,
        file: None,
        line: None,
        column: None,
        inlined: false,
    };
}

/// All symbols of one code address.
type Symbols = Arc<[Arc<Symbol>]>;

const SHARDS: usize = 16;

static CACHE: LazyLock<[Mutex<HashMap<usize, Symbols>>; SHARDS]> = LazyLock::new(Default::default);
static UNKNOWN: LazyLock<Symbols> = LazyLock::new(|| Arc::new([Arc::new(Symbol::UNKNOWN)]));

/// All symbols of one code address, innermost first; never empty.
///
/// For a return address pass it as captured: the lookup subtracts one. An address that belongs to nothing has one symbol
/// without a name. So has one whose module's file cannot be read just now, because no file descriptor is left; it is
/// looked up again the next time.
///
/// # Examples
///
/// ```
/// assert_eq!(callstack::symbolize(0x10)[0].name, None);
/// ```
///
/// # Overhead
///
/// The first lookup in a module maps its file and indexes its debug information: some milliseconds for every 10 MB, and
/// several times that in memory, kept until the module is unloaded. An address that was looked up before costs a hash
/// table access. Allocates and takes locks, so not for hot paths.
pub fn symbolize(ip: usize) -> Arc<[Arc<Symbol>]> {
    look_up(ip).0
}

/// The symbols of an address, and whether they are the last word: false if the module's file could not be read just now.
pub(crate) fn look_up(ip: usize) -> (Symbols, bool) {
    let unknown = |settled| (Arc::clone(&UNKNOWN), settled);
    let Some(address) = ip.checked_sub(1) else {
        return unknown(true);
    };
    if let Some(known) = shard(address).get(&address) {
        return (Arc::clone(known), true);
    }
    let list = resolve::Modules::now();
    let symbols: Symbols = match list.symbols(address) {
        // Not remembered: a library may be loaded there.
        Lookup::Nowhere => return unknown(true),
        Lookup::Unreadable => return unknown(false),
        Lookup::Symbols(symbols) if symbols.is_empty() => Arc::clone(&UNKNOWN),
        Lookup::Symbols(symbols) => symbols.into_iter().map(Arc::new).collect(),
    };
    let mut shard = shard(address);
    if list.is_current() {
        shard.insert(address, Arc::clone(&symbols));
    }
    (symbols, true)
}

/// Forgets everything except for the main program, whose code stays where it is. To be called when something was
/// unloaded, after the new module list was published.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) fn forget_libraries() {
    let list = resolve::Modules::now();
    for shard in CACHE.iter() {
        lock(shard).retain(|&address, _| list.in_main_program(address));
    }
}

fn shard(address: usize) -> MutexGuard<'static, HashMap<usize, Symbols>> {
    // Return addresses are spread over all low bits on x86, and are multiples of 4 on ARM.
    lock(&CACHE[(address >> 2) % SHARDS])
}

fn lock(shard: &Mutex<HashMap<usize, Symbols>>) -> MutexGuard<'_, HashMap<usize, Symbols>> {
    // Nothing in the critical sections can panic half-way.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
