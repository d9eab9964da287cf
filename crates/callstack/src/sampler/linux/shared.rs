//! The memory that the handlers and the collecting thread share. It is never freed.
//!
//! # Invariant
//!
//! A slot belongs to whoever has set its bit in `taken`: first to one handler, and when that has
//! set the bit in `ready` (release), to the one collecting thread that takes that bit away
//! (acquire), until it takes the bit in `taken` away (release). Nobody else reads or writes the
//! slot.
//!
//! Not here: what a sample stands for ([`super::registry`]).

#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::super::{Label, MAX_THREADS};
use crate::unwind::copied::CopiedStack;
use crate::unwind::registers::Registers;

/// One slot: a header and a piece of stack.
const SLOT: usize = 128 << 10;
/// Room of the header.
const HEADER: usize = 256;
/// Stack that fits into a slot, in bytes.
pub(super) const CAPACITY: usize = SLOT - HEADER;
/// Words of the bitmaps.
const WORDS: usize = 4;
/// At 999 Hz and with eight busy processors, enough for 32 ms.
pub(super) const SLOTS: usize = WORDS * 64;
/// File descriptors from this one on are not used for perf events.
pub(super) const FDS: usize = 1 << 16;

const _: () = assert!(size_of::<Header>() <= HEADER);
const _: () = assert!(MAX_THREADS < u16::MAX as usize);

pub(super) static SHARED: Shared = Shared::new();

pub(super) struct Shared {
    /// The number of the session that is sampling; 0 if none is.
    pub(super) session: AtomicU32,
    /// The function that reads the label.
    label: AtomicPtr<()>,
    memory: AtomicPtr<u8>,
    taken: [AtomicU64; WORDS],
    ready: [AtomicU64; WORDS],
    pub(super) dropped: AtomicU64,
    pub(super) foreign: AtomicU64,
    pub(super) threads: [Thread; MAX_THREADS],
    /// The index of the thread, plus one, whose perf event has this file descriptor.
    pub(super) by_fd: [AtomicU16; FDS],
}

/// The part of a thread's state that the handler reads and writes.
pub(super) struct Thread {
    /// The period in nanoseconds that its perf event is to have from the next sample on; 0: no
    /// change.
    pub(super) next_period: AtomicU64,
    /// The part of the thread's own stack that can be read as long as the thread lives: from
    /// `stack_low` to `stack_high`. 0: not known.
    pub(super) stack_low: AtomicUsize,
    pub(super) stack_high: AtomicUsize,
    /// A stack pointer outside of that, and the thread pointer then; 0 if there was none.
    pub(super) other_stack: AtomicUsize,
    pub(super) thread_pointer: AtomicUsize,
}

impl Thread {
    const fn new() -> Thread {
        Thread {
            next_period: AtomicU64::new(0),
            stack_low: AtomicUsize::new(0),
            stack_high: AtomicUsize::new(0),
            other_stack: AtomicUsize::new(0),
            thread_pointer: AtomicUsize::new(0),
        }
    }

    pub(super) fn clear(&self) {
        self.next_period.store(0, Ordering::Relaxed);
        self.stack_high.store(0, Ordering::Relaxed);
        self.stack_low.store(0, Ordering::Relaxed);
        self.other_stack.store(0, Ordering::Relaxed);
        self.thread_pointer.store(0, Ordering::Relaxed);
    }
}

/// The fields of a sample besides its stack.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) session: u32,
    /// Index of the thread.
    pub(super) thread: u32,
    /// Expirations of the timer that it stands for.
    pub(super) hits: u32,
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub(super) time: u64,
    pub(super) label: Label,
    pub(super) registers: Registers,
    /// Address of the first word of the stack.
    pub(super) start: usize,
    /// In bytes.
    pub(super) len: usize,
    /// Whether there was more of the stack than fits.
    pub(super) cut: bool,
}

impl Shared {
    const fn new() -> Shared {
        Shared {
            session: AtomicU32::new(0),
            label: AtomicPtr::new(ptr::null_mut()),
            memory: AtomicPtr::new(ptr::null_mut()),
            taken: [const { AtomicU64::new(0) }; WORDS],
            ready: [const { AtomicU64::new(0) }; WORDS],
            dropped: AtomicU64::new(0),
            foreign: AtomicU64::new(0),
            threads: [const { Thread::new() }; MAX_THREADS],
            by_fd: [const { AtomicU16::new(0) }; FDS],
        }
    }

    /// Maps the memory, the first time. False if there is none.
    pub(super) fn prepare(&self, label: fn() -> Label) -> bool {
        self.label.store(label as *mut (), Ordering::Relaxed);
        if !self.memory.load(Ordering::Acquire).is_null() {
            return true;
        }
        // SAFETY: a new mapping of its own.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                SLOTS * SLOT,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return false;
        }
        self.memory.store(memory.cast(), Ordering::Release);
        true
    }

    /// Gives the pages of the slots back to the system; they read as zero from then on. Called when
    /// no timer is left: a sample of a late handler is discarded by the number of its session.
    pub(super) fn give_back(&self) {
        let memory = self.memory.load(Ordering::Acquire);
        if !memory.is_null() {
            // SAFETY: a mapping of ours, of that size, which nobody reads before writing to it.
            unsafe { libc::madvise(memory.cast(), SLOTS * SLOT, libc::MADV_DONTNEED) };
        }
    }

    /// Frees all slots, in a forked child, where no handler of the parent is at work.
    pub(super) fn forget(&self) {
        for word in self.taken.iter().chain(&self.ready) {
            word.store(0, Ordering::Relaxed);
        }
        for fd in &self.by_fd {
            fd.store(0, Ordering::Relaxed);
        }
        self.session.store(0, Ordering::Release);
    }

    pub(super) fn read_label(&self) -> Label {
        let label = self.label.load(Ordering::Relaxed);
        if label.is_null() {
            return [0, 0];
        }
        // SAFETY: only `prepare` writes it, and it writes a function of this type.
        let label = unsafe { std::mem::transmute::<*mut (), fn() -> Label>(label) };
        label()
    }

    /// Takes a slot for the calling handler. Tries a bounded number of times.
    pub(super) fn take(&self) -> Option<Slot> {
        let memory = self.memory.load(Ordering::Acquire);
        if memory.is_null() {
            return None;
        }
        for (number, word) in self.taken.iter().enumerate() {
            for _ in 0..8 {
                let taken = word.load(Ordering::Relaxed);
                let bit = (!taken).trailing_zeros();
                if bit == u64::BITS {
                    break;
                }
                // Acquire: the last owner of the slot has finished with it.
                let swapped = word.compare_exchange(
                    taken,
                    taken | 1 << bit,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                );
                if swapped.is_ok() {
                    return Some(Slot::new(memory, number, bit));
                }
            }
        }
        None
    }

    /// All slots that are ready, for the collecting thread.
    pub(super) fn ready(&self) -> Vec<Slot> {
        let memory = self.memory.load(Ordering::Acquire);
        let mut slots = Vec::new();
        for (number, word) in self.ready.iter().enumerate() {
            let mut bits = word.swap(0, Ordering::Acquire);
            while bits != 0 {
                slots.push(Slot::new(memory, number, bits.trailing_zeros()));
                bits &= bits - 1;
            }
        }
        slots
    }
}

/// The right to one slot. Not given back by drop: a handler passes it on.
pub(super) struct Slot {
    at: *mut u8,
    word: usize,
    bit: u64,
}

impl Slot {
    fn new(memory: *mut u8, word: usize, bit: u32) -> Slot {
        let number = word * 64 + bit as usize;
        Slot {
            at: memory.wrapping_add(number * SLOT),
            word,
            bit: 1 << bit,
        }
    }

    /// The memory for the stack: [`CAPACITY`] bytes.
    pub(super) fn stack(&self) -> *mut u64 {
        self.at.wrapping_add(HEADER).cast()
    }

    /// Hands a sample over to the collecting thread.
    pub(super) fn publish(self, header: Header) {
        // SAFETY: the slot is this handler's (module invariant), and mapped and aligned for a
        // header.
        unsafe { self.at.cast::<Header>().write(header) };
        SHARED.ready[self.word].fetch_or(self.bit, Ordering::Release);
    }

    /// The sample in a slot that was ready.
    pub(super) fn read(&self) -> (Header, CopiedStack<'_>) {
        // SAFETY: the slot is the collecting thread's (module invariant) and was published.
        let header = unsafe { self.at.cast::<Header>().read() };
        let words = header.len.min(CAPACITY) / size_of::<u64>();
        // SAFETY: as above; the mapping is initialised, and the handler wrote at most `CAPACITY`.
        let stack = unsafe { std::slice::from_raw_parts(self.stack().cast_const(), words) };
        (header, CopiedStack::new(header.start, stack, header.cut))
    }

    /// Frees the slot.
    pub(super) fn free(self) {
        SHARED.taken[self.word].fetch_and(!self.bit, Ordering::Release);
    }
}

/// Whether a sampler is at work; for [`super::thread_started`].
pub(super) fn is_sampling() -> bool {
    SHARED.session.load(Ordering::Relaxed) != 0
}
