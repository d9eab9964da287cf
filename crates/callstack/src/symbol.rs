//! Symbols, and the process-wide cache from code addresses to them.
//!
//! # Invariant of the cache
//!
//! An entry is valid for the modules it was looked up in. It is inserted under the lock of its
//! shard, and only if the module list is still the one the lookup has started with;
//! [`forget_libraries`] runs after a new list was published and takes every lock. So whatever is
//! inserted too late is either refused or removed.
//!
//! At most [`MAX_CACHED_ADDRESSES`] are cached. Each shard has a young and an old half. When the
//! young one is full, it becomes the old one, and entries that were not used since the last such
//! time are forgotten.
//!
//! Not here: how an address is looked up ([`crate::resolve`]). No lock of the cache is held during
//! a lookup.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, MutexGuard};

use crate::resolve::{self, Lookup, RawSymbol};
use crate::sync::Mutex;

/// One function at one place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Symbol {
    /// The demangled name, without the hash; `None` if nothing is known about this address.
    pub name: Option<Arc<str>>,
    /// The path of the source file in the debug information; absolute in most builds.
    pub file: Option<Arc<str>>,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The column, counted from 1.
    pub column: Option<u32>,
    /// Whether this function was inlined into the next (outer) symbol of the same address.
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

/// The most addresses whose symbols are cached, so that code that is compiled or loaded all the
/// time does not fill the memory. Large programs show some ten thousand addresses in all their
/// stacks.
pub const MAX_CACHED_ADDRESSES: usize = 1 << 16;

const SHARDS: usize = 16;
/// The entries of half a shard.
const HALF: usize = MAX_CACHED_ADDRESSES / SHARDS / 2;

/// A sixteenth of the cache.
#[derive(Default)]
struct Shard {
    young: HashMap<usize, Symbols>,
    old: HashMap<usize, Symbols>,
}

impl Shard {
    fn get(&mut self, address: usize) -> Option<Symbols> {
        if let Some(known) = self.young.get(&address) {
            return Some(Arc::clone(known));
        }
        let known = self.old.remove(&address)?;
        self.insert(address, Arc::clone(&known));
        Some(known)
    }

    fn insert(&mut self, address: usize, symbols: Symbols) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(address, symbols);
    }

    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        for half in [&mut self.young, &mut self.old] {
            half.retain(|&address, _| keep(address));
        }
    }
}

static CACHE: LazyLock<[Mutex<Shard>; SHARDS]> = LazyLock::new(Default::default);
static UNKNOWN: LazyLock<Symbols> = LazyLock::new(|| Arc::new([Arc::new(Symbol::UNKNOWN)]));

/// Returns all symbols of one code address, innermost first; never empty.
///
/// For a return address pass it as captured: the lookup subtracts one. An address that belongs to
/// nothing has one symbol without a name. So has one whose module's file cannot be read just now,
/// because no file descriptor is left; it is looked up again the next time.
///
/// # Examples
///
/// ```
/// assert_eq!(callstack::symbolize(0x10)[0].name, None);
/// ```
///
/// # Overhead
///
/// The first lookup in a module maps its file and indexes its debug information: some milliseconds
/// for every 10 MB, and memory of the order of that debug information. A thread `callstack-names`
/// does it, gives the memory back when nothing has been looked up for two seconds
/// ([`release_debug_info`] does so at once), and ends. An address that was looked up before costs a
/// hash table access, as long as it is among the last [`MAX_CACHED_ADDRESSES`]. Allocates and takes
/// locks, so not for hot paths.
pub fn symbolize(ip: usize) -> Arc<[Arc<Symbol>]> {
    look_up(ip).0
}

/// Returns the symbols of an address, and whether they are final: false if the module's file could
/// not be read just now.
pub(crate) fn look_up(ip: usize) -> (Symbols, bool) {
    let unknown = |is_final| (Arc::clone(&UNKNOWN), is_final);
    let Some(address) = ip.checked_sub(1) else {
        return unknown(true);
    };
    if let Some(known) = shard(address).get(address) {
        return (known, true);
    }
    let list = resolve::Modules::now();
    let symbols: Symbols = match list.symbols(address) {
        // Not cached: a library may be loaded there.
        Lookup::Nowhere => return unknown(true),
        Lookup::Unreadable => return unknown(false),
        Lookup::Symbols(symbols) if symbols.is_empty() => Arc::clone(&UNKNOWN),
        Lookup::Symbols(symbols) => symbols.iter().map(shared_symbol).collect(),
    };
    let mut shard = shard(address);
    if list.is_current() {
        shard.insert(address, Arc::clone(&symbols));
    }
    (symbols, true)
}

/// Forgets all symbols but those of the main program, whose code stays where it is. Called when
/// something was unloaded, after the new module list was published.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) fn forget_libraries() {
    let list = resolve::Modules::now();
    for shard in CACHE.iter() {
        shard.lock().retain(|address| list.in_main_program(address));
    }
}

/// Closes all debug information: unmaps the files and drops their indexes.
///
/// That happens by itself when nothing has been looked up for two seconds. Names that were looked
/// up stay known. The next lookup of another address opens its module's file again, which takes
/// some milliseconds. Waits for lookups that are going on.
///
/// # Examples
///
/// ```
/// let before = callstack::symbolize(main as *const () as usize + 1);
/// callstack::release_debug_info();
/// assert_eq!(callstack::symbolize(main as *const () as usize + 1), before);
/// # fn main() {}
/// ```
pub fn release_debug_info() {
    resolve::release();
}

/// Makes a symbol whose texts are shared with equal ones.
fn shared_symbol(found: &RawSymbol) -> Arc<Symbol> {
    let mut texts = TEXTS.lock();
    let mut text = |text: &Option<String>| text.as_deref().map(|text| texts.shared(text));
    Arc::new(Symbol {
        name: text(&found.name),
        file: text(&found.file),
        line: found.line,
        column: found.column,
        inlined: found.inlined,
    })
}

/// The names and files of all symbols that are in the cache or held by a caller.
struct Texts {
    all: BTreeSet<Arc<str>>,
    /// The size at which texts that no symbol has any more are dropped.
    sweep_at: usize,
}

static TEXTS: Mutex<Texts> = Mutex::new(Texts {
    all: BTreeSet::new(),
    sweep_at: SMALLEST_SWEEP,
});

const SMALLEST_SWEEP: usize = 4096;

impl Texts {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.all.get(text) {
            return Arc::clone(known);
        }
        if self.all.len() >= self.sweep_at {
            self.all.retain(|text| Arc::strong_count(text) > 1);
            self.sweep_at = SMALLEST_SWEEP.max(2 * self.all.len());
        }
        let text: Arc<str> = text.into();
        self.all.insert(Arc::clone(&text));
        text
    }
}

fn shard(address: usize) -> MutexGuard<'static, Shard> {
    // Return addresses are spread over all low bits on x86, and are multiples of 4 on ARM.
    CACHE[(address >> 2) % SHARDS].lock()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{HALF, Shard, Symbols};

    #[test]
    fn a_shard_is_bounded_and_keeps_what_is_asked_for() {
        let nothing: Symbols = Arc::new([]);
        let mut shard = Shard::default();
        shard.insert(0, Arc::clone(&nothing));
        for address in 1..10 * HALF {
            shard.insert(address, Arc::clone(&nothing));
            if address % (HALF / 2) == 0 {
                assert!(shard.get(0).is_some(), "after {address}");
            }
            assert!(shard.young.len() + shard.old.len() <= 2 * HALF);
        }
        assert!(shard.get(10 * HALF - 1).is_some());
        assert!(shard.get(1).is_none());
    }
}
