//! The running sampler: starts, collects, stops.
//!
//! [`signal`] claims the signal and puts it back; [`perf`] and [`timer`] are the two kinds of
//! timers; [`registry`] has the threads with a timer ([`armed`]), and gives their samples credit;
//! [`handler`] runs on an interrupted thread; [`shared`] is the memory between the two; [`stacks`]
//! finds the part of a thread's stack that may be read without asking the kernel.
//!
//! Not here: how a copied stack is walked (`crate::unwind`).

mod armed;
mod clock;
mod handler;
mod perf;
mod registry;
mod shared;
mod signal;
mod stacks;
mod timer;

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use self::registry::Registry;
use self::shared::SHARED;
use self::signal::Claimed;
use super::{Collected, Options, Sample, StartError, ThreadTime};
use crate::sync::Mutex;
use crate::thread::Tid;
use crate::{Completeness, MAX_FRAMES, unwind};

/// The id of the process that samples; 0 if none does.
static OWNER: AtomicU32 = AtomicU32::new(0);
static SESSIONS: AtomicU32 = AtomicU32::new(0);
/// The threads of the running sampler.
static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

/// How long a forked child waits for a lock that its parent may have held at the fork.
const FORK_PATIENCE: Duration = Duration::from_millis(100);

pub(super) struct Running {
    // Before the signal: fields are dropped in this order.
    _timers: Timers,
    _signal: Claimed,
    session: u32,
    frames: Vec<usize>,
}

/// The timers of all threads. Dropping it removes them.
struct Timers;

impl Drop for Timers {
    fn drop(&mut self) {
        SHARED.session.store(0, Ordering::Release);
        let registry = registry().take();
        // Dropped without the lock: that takes a system call or two for each thread.
        drop(registry);
        SHARED.give_back();
        OWNER.store(0, Ordering::Release);
    }
}

fn registry() -> MutexGuard<'static, Option<Registry>> {
    REGISTRY.lock()
}

pub(super) fn start(options: Options) -> Result<Running, StartError> {
    let process = std::process::id();
    match OWNER.load(Ordering::Acquire) {
        0 => {}
        owner if owner == process => return Err(StartError::Busy),
        // A forked child: its copy of the parent's sampler has no timers and no threads.
        _ => forget_parent()?,
    }
    if OWNER
        .compare_exchange(0, process, Ordering::AcqRel, Ordering::Relaxed)
        .is_err()
    {
        return Err(StartError::Busy);
    }
    let timers = Timers;
    if !SHARED.prepare(options.label) {
        return Err(StartError::NoMemory);
    }
    // Reads the list of modules now, and makes the dynamic linker bind the functions that the
    // handler calls.
    crate::refresh();
    let _ = crate::thread::linux::memory::can_be_copied();
    let _ = handler::now();
    let signal = signal::claim().ok_or(StartError::NoSignal)?;
    let session = loop {
        let session = SESSIONS.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if session != 0 {
            break session;
        }
    };
    // Samples that late handlers of the last session have left.
    SHARED.ready().into_iter().for_each(shared::Slot::free);
    SHARED.dropped.store(0, Ordering::Relaxed);
    SHARED.foreign.store(0, Ordering::Relaxed);
    SHARED.session.store(session, Ordering::Release);
    let mut threads = Registry::new(&options, &signal);
    threads.scan();
    let refused = threads.refusal();
    *registry() = Some(threads);
    if let Some(errno) = refused {
        return Err(StartError::NoTimer { errno });
    }
    Ok(Running {
        _timers: timers,
        _signal: signal,
        session,
        frames: Vec::with_capacity(MAX_FRAMES),
    })
}

/// Makes a forked child a process that does not sample.
fn forget_parent() -> Result<(), StartError> {
    let mut waited = Duration::ZERO;
    let parents = loop {
        match REGISTRY.try_lock() {
            Some(mut registry) => break registry.take(),
            None if waited < FORK_PATIENCE => {
                thread::sleep(Duration::from_millis(1));
                waited += Duration::from_millis(1);
            }
            None => return Err(StartError::Forked),
        }
    };
    if let Some(parents) = parents {
        parents.forget();
    }
    SHARED.forget();
    OWNER.store(0, Ordering::Release);
    Ok(())
}

impl Running {
    pub(super) fn set_hz(&mut self, hz: u32) {
        if let Some(registry) = &mut *registry() {
            registry.set_hz(hz);
        }
    }

    pub(super) fn threads(&self) -> Vec<ThreadTime> {
        registry().as_ref().map(Registry::times).unwrap_or_default()
    }

    pub(super) fn collect(&mut self, each: &mut dyn FnMut(Sample<'_>)) -> Collected {
        let mut collected = Collected::default();
        let mut slots = SHARED.ready();
        // Sorted so that the samples of one thread follow each other, in their order.
        slots.sort_by_cached_key(|slot| {
            let (header, _) = slot.read();
            (header.thread, header.time)
        });
        let credits = {
            let mut registry = registry();
            let Some(registry) = &mut *registry else {
                return collected;
            };
            let headers = slots.iter().map(|slot| slot.read().0);
            let credits = registry.credit(headers.filter(|header| header.session == self.session));
            registry.maintain(&mut collected);
            credits
        };
        collected.dropped = SHARED.dropped.swap(0, Ordering::Relaxed);
        collected.foreign = SHARED.foreign.swap(0, Ordering::Relaxed);
        if !slots.is_empty() {
            // Code may have been loaded meanwhile. The registry is not locked here.
            crate::refresh();
        }
        let mut credits = credits.into_iter();
        for slot in slots {
            let (header, stack) = slot.read();
            if header.session != self.session {
                slot.free();
                continue;
            }
            if let Some(Some(credit)) = credits.next() {
                self.frames.clear();
                let completeness =
                    unwind::walk_interrupted(&header.registers, &stack, &mut self.frames);
                collected.samples += 1;
                each(Sample {
                    thread: Tid::from_raw(credit.tid),
                    label: header.label,
                    frames: &self.frames,
                    completeness: if header.cut && completeness == Completeness::Broken {
                        Completeness::Truncated
                    } else {
                        completeness
                    },
                    count: credit.periods,
                    cpu: Duration::from_nanos(credit.periods.saturating_mul(credit.period)),
                });
            }
            slot.free();
        }
        collected
    }
}

/// Arms the calling thread, if that is possible without waiting.
pub(super) fn thread_started() {
    if !shared::is_sampling() || OWNER.load(Ordering::Relaxed) != std::process::id() {
        return;
    }
    if let Some(mut registry) = REGISTRY.try_lock()
        && let Some(registry) = &mut *registry
    {
        registry.arm(Tid::current().as_raw());
    }
}
