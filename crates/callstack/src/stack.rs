//! [`Stack`]: one shared copy of every distinct stack.
//!
//! # Invariant of the table
//!
//! The table holds weak references only, in shards by hash. An entry is added by [`Stack::intern`]
//! and removed by the drop of the stack it refers to, both under the lock of its shard; so the
//! table is as large as the set of stacks that are held. No stack is dropped and nothing is
//! symbolised under that lock: the drop takes it.
//!
//! Not here: how symbols are found ([`crate::symbol`]).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, MutexGuard, OnceLock, Weak};

use crate::Symbol;
use crate::symbol::look_up;
use crate::sync::Mutex;

const SHARDS: usize = 16;

/// The stacks with one hash: several only if their 64-bit hashes collide, or if one is just being
/// dropped.
type Bucket = Vec<Weak<Stack>>;

static TABLE: LazyLock<[Mutex<HashMap<u64, Bucket>>; SHARDS]> = LazyLock::new(Default::default);

/// One distinct captured stack (or several, as the branches of a `join!`), shared by all its
/// captures.
#[derive(Debug)]
pub struct Stack {
    id: u64,
    frames: Box<[usize]>,
    symbols: OnceLock<Arc<Symbols>>,
}

/// The symbols of all branches, and where each branch ends.
#[derive(Debug)]
struct Symbols {
    all: Vec<Arc<Symbol>>,
    ends: Vec<usize>,
}

impl Stack {
    /// Returns the one shared copy of this sequence of return addresses, leaf first.
    ///
    /// A 0 separates the branches of a stack that forks, one trace after the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use callstack::Stack;
    ///
    /// let stack = Stack::intern(&[0x1000, 0x2000]);
    /// assert!(Arc::ptr_eq(&stack, &Stack::intern(&[0x1000, 0x2000])));
    /// ```
    ///
    /// # Limitations
    ///
    /// Takes a lock that is shared by a sixteenth of all stacks, and allocates under it. A global
    /// allocator that interns stacks must not do so for the allocations made here.
    pub fn intern(frames: &[usize]) -> Arc<Stack> {
        let id = hash(frames);
        // Declared before the guard, so dropped after it: this may be the last reference to another
        // stack with the same hash.
        let mut others = Vec::new();
        let mut shard = shard(id);
        let bucket = shard.entry(id).or_default();
        for stack in bucket.iter().filter_map(Weak::upgrade) {
            if *stack.frames == *frames {
                return stack;
            }
            others.push(stack);
        }
        let stack = Arc::new(Stack {
            id,
            frames: frames.into(),
            symbols: OnceLock::new(),
        });
        bucket.push(Arc::downgrade(&stack));
        stack
    }

    /// How many distinct stacks exist at this moment.
    pub fn live_count() -> usize {
        TABLE
            .iter()
            .map(|shard| shard.lock().values().map(Vec::len).sum::<usize>())
            .sum()
    }

    /// The return addresses, leaf first, with a 0 between branches.
    pub fn frames(&self) -> &[usize] {
        &self.frames
    }

    /// A hash of the content: equal for equal stacks, for as long as this process runs.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The return addresses of each branch. Empty branches are left out.
    pub fn branches(&self) -> impl Iterator<Item = &[usize]> {
        branches(&self.frames)
    }

    /// Symbols, leaf first, inlined frames expanded; for a stack with several branches one after
    /// the other.
    ///
    /// Resolved once for a stack and then stored with it, as soon as all modules could be read.
    /// Call this before the code is unloaded: an address says nothing afterwards.
    pub fn symbols(&self) -> Vec<Arc<Symbol>> {
        self.resolve().all.clone()
    }

    /// The symbols of each branch, in the order of [`branches`](Self::branches).
    pub fn branch_symbols(&self) -> Vec<Vec<Arc<Symbol>>> {
        let symbols = self.resolve();
        let mut start = 0;
        symbols
            .ends
            .iter()
            .map(|&end| symbols.all[std::mem::replace(&mut start, end)..end].to_vec())
            .collect()
    }

    fn resolve(&self) -> Arc<Symbols> {
        if let Some(known) = self.symbols.get() {
            return Arc::clone(known);
        }
        let (mut all, mut ends, mut settled) = (Vec::new(), Vec::new(), true);
        for branch in self.branches() {
            for &ip in branch {
                let (symbols, last_word) = look_up(ip);
                all.extend(symbols.iter().cloned());
                settled &= last_word;
            }
            ends.push(all.len());
        }
        let symbols = Arc::new(Symbols { all, ends });
        if settled {
            return Arc::clone(self.symbols.get_or_init(|| symbols));
        }
        symbols
    }
}

impl PartialEq for Stack {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || (self.id == other.id && self.frames == other.frames)
    }
}

impl Eq for Stack {}

impl Hash for Stack {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.id);
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut shard = shard(self.id);
        if let Entry::Occupied(mut bucket) = shard.entry(self.id) {
            // A reference to this stack cannot be upgraded any more, but its twin may be interned
            // already.
            bucket.get_mut().retain(|stack| stack.strong_count() > 0);
            if bucket.get().is_empty() {
                bucket.remove();
            }
        }
        // Gives the memory back that a burst of stacks has taken.
        if shard.capacity() > 64 && shard.len() < shard.capacity() / 8 {
            shard.shrink_to_fit();
        }
    }
}

fn branches(frames: &[usize]) -> impl Iterator<Item = &[usize]> {
    frames
        .split(|&ip| ip == 0)
        .filter(|branch| !branch.is_empty())
}

fn hash(frames: &[usize]) -> u64 {
    // Unlike a map's, the keys of this hasher are fixed.
    let mut hasher = DefaultHasher::new();
    frames.hash(&mut hasher);
    hasher.finish()
}

fn shard(id: u64) -> MutexGuard<'static, HashMap<u64, Bucket>> {
    TABLE[(id % SHARDS as u64) as usize].lock()
}
