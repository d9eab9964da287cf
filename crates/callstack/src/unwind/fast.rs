//! The fast unwinder: framehop, on the `.eh_frame` sections that are in memory.
//!
//! Every thread keeps a [`Walker`]: the [`Unwinder`] of the snapshot it used last, and framehop's
//! rule cache. A rule is only valid for the modules it was made from, and framehop tells them apart
//! by a 16-bit number that wraps; so a new snapshot gets a new cache. A thread that does not
//! capture any more keeps the old unwinder (not the whole snapshot).
//!
//! framehop's cache has 509 slots, and the slot of an address is its remainder; two return
//! addresses of one stack that share a slot evict each other in every capture, and each time costs
//! as much as ten frames. So a walker that sees many evictions gets more caches, up to
//! [`MAX_CACHES`], and spreads the addresses over them by the quotient.
//!
//! The walker is taken out of its slot while it is used: a nested capture (of a global allocator,
//! or of a signal handler) finds the slot empty, works with a walker of its own, and nothing is
//! borrowed twice.
//!
//! Not here: where the tables come from ([`crate::loaded`]), and where a walk ends
//! ([`super::Frames`]).

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use framehop::{
    CacheNative, Error, FrameAddress, MustNotAllocateDuringUnwind, UnwindRegsNative, Unwinder as _,
};

use super::registers::Registers;
use super::window::Window;
use super::{Frames, Unwinder as UnwinderTrait};
use crate::Completeness;
use crate::loaded::{self, Unwinder};

type Cache = CacheNative<MustNotAllocateDuringUnwind>;

/// The number of slots of a framehop cache. A wrong number only makes walks slower.
const SLOTS: u64 = 509;
/// The most caches of a walker. Each takes 32 KiB.
const MAX_CACHES: usize = 8;
/// The number of caches doubles after this many evictions.
const EVICTIONS: u64 = 1000;

/// Finds the frame pointer of a function by a return address within it and the stack pointer there.
pub(crate) type FindFramePointer<'a> = &'a mut dyn FnMut(usize, usize) -> Option<usize>;

/// The state that one thread needs to walk its stack.
pub(crate) struct Walker {
    generation: u64,
    unwinder: Arc<Unwinder>,
    /// At least one; their number is a power of two.
    caches: Vec<Cache>,
    /// The number of evictions in all caches at which more caches are added.
    grow_at: u64,
}

thread_local! {
    static WALKER: Cell<Option<Box<Walker>>> = const { Cell::new(None) };
    /// No destructor: readable as long as the thread runs.
    static MAKING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f` with the walker of this thread; with `None` if framehop cannot be used here.
pub(crate) fn with(f: impl FnOnce(Option<&mut Walker>) -> Completeness) -> Completeness {
    // A thread whose thread-locals are gone already works with a temporary walker.
    let stored = WALKER.try_with(Cell::take).ok().flatten();
    let walker = match stored {
        Some(walker) if walker.generation == loaded::generation() => Some(walker),
        outdated => make(outdated),
    };
    let Some(mut walker) = walker else {
        return f(None);
    };
    if !walker.is_usable() {
        return f(None);
    }
    // framehop and gimli return errors, but a sum over damaged tables can still overflow, and a
    // debug build then panics. The cache may be inconsistent after that and is dropped.
    let Ok(completeness) = catch_unwind(AssertUnwindSafe(|| f(Some(&mut walker)))) else {
        return Completeness::Broken;
    };
    walker.grow_if_crowded();
    let _ = WALKER.try_with(|slot| slot.set(Some(walker)));
    completeness
}

/// Makes a walker for the newest snapshot. `None` if this thread is making one already: making
/// allocates, and a global allocator that captures stacks would come here again without end.
fn make(outdated: Option<Box<Walker>>) -> Option<Box<Walker>> {
    struct Made;
    impl Drop for Made {
        fn drop(&mut self) {
            MAKING.set(false);
        }
    }
    if MAKING.replace(true) {
        return None;
    }
    let _made = Made;
    drop(outdated);
    let snapshot = loaded::current();
    Some(Box::new(Walker::new(
        snapshot.generation,
        Arc::clone(&snapshot.unwinder),
    )))
}

impl Walker {
    /// Makes a walker with an empty cache, for the modules of this generation. Allocates.
    pub(crate) fn new(generation: u64, unwinder: Arc<Unwinder>) -> Self {
        Walker {
            generation,
            unwinder,
            caches: vec![Cache::new_in()],
            grow_at: EVICTIONS,
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// False if not even the main program has unwind tables.
    pub(crate) fn is_usable(&self) -> bool {
        self.unwinder.is_usable()
    }

    /// Adds caches if there were many evictions. Allocates, so not during a walk.
    pub(crate) fn grow_if_crowded(&mut self) {
        let evictions = |cache: &Cache| cache.stats().miss_wrong_address_count;
        let evicted: u64 = self.caches.iter().map(evictions).sum();
        if evicted >= self.grow_at && self.caches.len() < MAX_CACHES {
            self.grow(evicted);
        }
    }

    // Not inlined: a new cache is built on the stack, and a walk should not need so much of it.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, evicted: u64) {
        self.caches
            .resize_with(self.caches.len() * 2, Cache::new_in);
        self.grow_at = evicted + EVICTIONS;
    }

    /// Passes every frame above the one of `start` to `frames`, as [`UnwinderTrait::walk`] does;
    /// reads the stack by `read`. A frame pointer that is needed and [unknown](Registers::UNKNOWN)
    /// is found by `find`.
    pub(crate) fn walk_from(
        &mut self,
        start: &Registers,
        mut read: impl FnMut(u64) -> Result<u64, ()>,
        mut find: Option<FindFramePointer<'_>>,
        frames: &mut Frames<'_>,
    ) -> Completeness {
        let unwinder = self.unwinder.framehop();
        let mut registers = native(start, unwinder.max_known_code_address());
        let mut address = FrameAddress::from_instruction_pointer(start.ip as u64);
        let most = self.caches.len() - 1;
        loop {
            let cache = &mut self.caches[(address.address_for_lookup() / SLOTS) as usize & most];
            match unwinder.unwind_frame(address, &mut registers, cache, &mut read) {
                // Only the link register of the first function can still be unknown.
                Ok(Some(return_address)) if return_address == Registers::UNKNOWN as u64 => {
                    return Completeness::Broken;
                }
                Ok(Some(return_address)) => {
                    let Some(next) = FrameAddress::from_return_address(return_address) else {
                        return frames.at_root();
                    };
                    address = next;
                    if let Err(end) = frames.push(return_address as usize, registers.sp() as usize)
                    {
                        return end;
                    }
                }
                // On ARM framehop ends where the saved frame pointer is 0: it does not step out of
                // the first function on a stack, so a limit in that function is met there and not
                // behind it.
                Ok(None) if cfg!(target_arch = "aarch64") => {
                    return frames.in_first_function(registers.sp());
                }
                Ok(None) => return frames.at_root(),
                Err(_) if frame_pointer(&registers) == Registers::UNKNOWN as u64 => {
                    let sp = registers.sp() as usize;
                    let found = find
                        .as_mut()
                        .and_then(|find| find(address.address() as usize, sp));
                    let Some(found) = found else {
                        return Completeness::Broken;
                    };
                    set_frame_pointer(&mut registers, found as u64);
                }
                Err(Error::CouldNotReadStack(address)) => return frames.at_end_of_window(address),
                Err(_) => return Completeness::Broken,
            }
        }
    }
}

impl UnwinderTrait for Walker {
    fn walk(
        &mut self,
        start: &Registers,
        window: &Window<'_>,
        frames: &mut Frames<'_>,
    ) -> Completeness {
        self.walk_from(start, |address| window.read(address), None, frames)
    }
}

#[cfg(target_arch = "x86_64")]
fn native(start: &Registers, _highest_code: u64) -> UnwindRegsNative {
    UnwindRegsNative::new(start.ip as u64, start.sp as u64, start.fp as u64)
}

/// Code built with pointer authentication signs return addresses in the bits above those that any
/// code address uses.
#[cfg(target_arch = "aarch64")]
fn native(start: &Registers, highest_code: u64) -> UnwindRegsNative {
    let mask = framehop::aarch64::PtrAuthMask::from_max_known_address(highest_code);
    UnwindRegsNative::new_with_ptr_auth_mask(
        mask,
        start.lr as u64,
        start.sp as u64,
        start.fp as u64,
    )
}

#[cfg(target_arch = "x86_64")]
fn frame_pointer(registers: &UnwindRegsNative) -> u64 {
    registers.bp()
}

#[cfg(target_arch = "x86_64")]
fn set_frame_pointer(registers: &mut UnwindRegsNative, value: u64) {
    registers.set_bp(value);
}

#[cfg(target_arch = "aarch64")]
fn frame_pointer(registers: &UnwindRegsNative) -> u64 {
    registers.fp()
}

#[cfg(target_arch = "aarch64")]
fn set_frame_pointer(registers: &mut UnwindRegsNative, value: u64) {
    registers.set_fp(value);
}

#[cfg(all(test, target_env = "gnu"))]
#[allow(unsafe_code, clippy::unwrap_used)]
mod tests {
    use super::with;
    use crate::unwind::registers::Registers;
    use crate::unwind::window::Window;
    use crate::unwind::{Frames, Unwinder as _};
    use crate::{modules, refresh};

    /// Between an unload and the next refresh, the unwinder still looks into the tables of the
    /// library that is gone.
    #[test]
    fn the_tables_of_an_unloaded_library_can_still_be_read() {
        // A part of every glibc, and not needed by this test program.
        // SAFETY: its initialisers are harmless.
        let library = unsafe { libc::dlopen(c"libresolv.so.2".as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null());
        refresh();
        let is_library = |line: &str| line.contains("libresolv");
        let module = modules()
            .iter()
            .find(|module| is_library(&module.path))
            .unwrap()
            .clone();
        // SAFETY: opened above, closed once.
        unsafe { libc::dlclose(library) };
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(
            !maps.lines().any(is_library),
            "something else needs the library: {maps}"
        );

        let mut start = Registers::here();
        let mut out = Vec::new();
        for ip in (module.start..module.end).step_by(64) {
            start.ip = ip;
            let window = Window::up_to(usize::MAX, &start).unwrap();
            let mut frames = Frames {
                out: &mut out,
                room: 0,
                limit: usize::MAX,
                leaf_only: false,
            };
            with(|walker| walker.unwrap().walk(&start, &window, &mut frames));
        }
    }
}
