//! The sampler: which threads it samples, how their time is counted, what it does to the process.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(unsafe_code, clippy::undocumented_unsafe_blocks, reason = "calls of C")]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use callstack::sampler::{Options, Sample, Sampler, StartError, TimerKind, thread_started};
use callstack::thread::Tid;

/// There is one sampler in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const KINDS: [TimerKind; 2] = [TimerKind::PerfEvent, TimerKind::ThreadCpuTimer];

/// `None`: this kind of timer is not allowed here.
fn start(hz: u32, kind: TimerKind) -> Option<Sampler> {
    let options = Options {
        hz,
        timer: Some(kind),
        ..Options::default()
    };
    match Sampler::start(options) {
        Ok(sampler) => Some(sampler),
        Err(StartError::NoTimer { .. }) if kind == TimerKind::PerfEvent => None,
        Err(error) => panic!("{error}"),
    }
}

struct Busy {
    thread: Tid,
    stop: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
}

impl Busy {
    fn new(work: impl Fn() + Send + 'static) -> Busy {
        let stop = Arc::new(AtomicBool::new(false));
        let (notify, notified) = mpsc::channel();
        let stopped = stop.clone();
        let handle = std::thread::spawn(move || {
            thread_started();
            notify.send(Tid::current()).unwrap();
            while !stopped.load(Ordering::Relaxed) {
                work();
            }
        });
        let thread = notified.recv().unwrap();
        Busy {
            thread,
            stop,
            handle: Some(handle),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.handle.take().unwrap().join().unwrap();
    }
}

#[inline(never)]
fn spin_in_user_code() {
    for n in 0..20_000_u64 {
        black_box(n);
    }
}

/// Collects until `enough` says so. Both closures may share what is in cells.
fn collect_until(
    sampler: &mut Sampler,
    mut each: impl FnMut(&Sample<'_>),
    mut enough: impl FnMut(&mut Sampler) -> bool,
) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !enough(sampler) {
        assert!(Instant::now() < deadline, "a minute is enough");
        std::thread::sleep(Duration::from_millis(5));
        sampler.collect(&mut |sample| each(&sample));
    }
}

#[test]
fn equal_threads_are_credited_with_the_time_they_used() {
    let _alone = alone();
    for kind in KINDS {
        let Some(mut sampler) = start(499, kind) else {
            continue;
        };
        // One was there before (this one is started after, the test's own before).
        let busy: Vec<Busy> = (0..3).map(|_| Busy::new(spin_in_user_code)).collect();
        let mut counts: HashMap<Tid, u64> = HashMap::new();
        let mut times = HashMap::new();
        collect_until(
            &mut sampler,
            |sample| *counts.entry(sample.thread).or_default() += sample.count,
            |sampler| {
                times = sampler
                    .threads()
                    .into_iter()
                    .map(|it| (it.thread, it))
                    .collect();
                let used = |one: &Busy| times.get(&one.thread).map(|time| time.used);
                busy.iter()
                    .all(|one| used(one) > Some(Duration::from_millis(400)))
            },
        );
        for one in &busy {
            let time = times[&one.thread];
            assert_eq!(time.timer, kind);
            let expected = time.used.as_secs_f64() * 499.0;
            let counted = counts[&one.thread] as f64;
            // The tick is 4 to 10 ms long, and the machine may be loaded.
            assert!(
                (counted / expected - 1.0).abs() < 0.1,
                "{kind:?}: {counted} of {expected}"
            );
        }
    }
}

#[test]
fn time_in_the_kernel_is_credited_too() {
    let _alone = alone();
    let Some(mut sampler) = start(997, TimerKind::PerfEvent) else {
        return;
    };
    let busy = Busy::new(|| drop(black_box(std::fs::read("/proc/self/stat"))));
    let (mut counted, mut used) = (0, Duration::ZERO);
    collect_until(
        &mut sampler,
        |sample| {
            counted += if sample.thread == busy.thread {
                sample.count
            } else {
                0
            }
        },
        |sampler| {
            let time = sampler
                .threads()
                .into_iter()
                .find(|it| it.thread == busy.thread);
            used = time.map_or(used, |time| time.used);
            used > Duration::from_millis(500)
        },
    );
    let expected = used.as_secs_f64() * 997.0;
    assert!(
        (counted as f64 / expected - 1.0).abs() < 0.1,
        "{counted} of {expected}"
    );
}

#[test]
fn a_sample_has_the_whole_stack_and_the_label_of_its_moment() {
    let _alone = alone();
    static LABEL: AtomicU64 = AtomicU64::new(0);
    let mut sampler = Sampler::start(Options {
        hz: 999,
        label: || [7, LABEL.load(Ordering::Relaxed)],
        ..Options::default()
    })
    .unwrap();
    LABEL.store(9, Ordering::Relaxed);
    let busy = Busy::new(spin_in_user_code);
    let mut found = false;
    let samples = Cell::new(0);
    collect_until(
        &mut sampler,
        |sample| {
            if sample.thread == busy.thread && sample.frames.len() > 1 {
                samples.set(samples.get() + 1);
                assert_eq!(sample.label, [7, 9]);
                let names: Vec<_> = sample
                    .frames
                    .iter()
                    .flat_map(|frame| callstack::symbolize(*frame).to_vec())
                    .filter_map(|symbol| symbol.name.clone())
                    .collect();
                let has = |name: &str| names.iter().any(|it| it.contains(name));
                found |= has("spin_in_user_code") && has("thread_start");
                assert!(!has("on_signal"), "{names:?}");
            }
        },
        |_| samples.get() > 20,
    );
    assert!(found);
}

#[test]
fn there_is_one_sampler_at_a_time_and_its_frequency_can_change() {
    let _alone = alone();
    let mut sampler = Sampler::start(Options::default()).unwrap();
    assert!(Sampler::start(Options::default()).unwrap_err().is_busy());
    let busy = Busy::new(spin_in_user_code);
    let mut periods = Vec::new();
    for hz in [100, 1000] {
        sampler.set_hz(hz);
        // Samples from before the change are collected first.
        sampler.collect(&mut |_| {});
        let seen = Cell::new(0);
        let mut last = Duration::ZERO;
        collect_until(
            &mut sampler,
            |sample| {
                seen.set(seen.get() + 1);
                last = sample.cpu / u32::try_from(sample.count).unwrap();
            },
            |_| seen.get() > 3,
        );
        periods.push(last);
    }
    assert_eq!(
        periods,
        [Duration::from_millis(10), Duration::from_millis(1)]
    );
    drop((sampler, busy));
    drop(Sampler::start(Options::default()).unwrap());
}

#[test]
fn a_frequency_out_of_range_is_refused_with_a_sentence() {
    for hz in [0, 10_001] {
        let error = Sampler::start(Options {
            hz,
            ..Options::default()
        });
        assert!(error.unwrap_err().to_string().contains("choose 1 to 10000"));
    }
}

#[test]
fn threads_on_small_stacks_live() {
    let _alone = alone();
    extern "C" fn spin(stop: *mut libc::c_void) -> *mut libc::c_void {
        let stop = unsafe { &*stop.cast::<AtomicBool>() };
        while !stop.load(Ordering::Relaxed) {
            spin_in_user_code();
        }
        std::ptr::null_mut()
    }
    for kind in KINDS {
        let Some(mut sampler) = start(997, kind) else {
            continue;
        };
        let stop = AtomicBool::new(false);
        // A thread of a C library, without an alternate signal stack.
        let threads: Vec<libc::pthread_t> = (0..2)
            .map(|_| unsafe {
                let mut attributes = std::mem::zeroed();
                let mut thread = 0;
                libc::pthread_attr_init(&raw mut attributes);
                let least = libc::PTHREAD_STACK_MIN.max(16 << 10);
                assert_eq!(
                    libc::pthread_attr_setstacksize(&raw mut attributes, least),
                    0
                );
                let stop = (&raw const stop).cast_mut().cast();
                assert_eq!(
                    libc::pthread_create(&raw mut thread, &raw const attributes, spin, stop),
                    0
                );
                thread
            })
            .collect();
        let samples = RefCell::new(HashMap::new());
        collect_until(
            &mut sampler,
            |sample| *samples.borrow_mut().entry(sample.thread).or_insert(0) += 1,
            |sampler| {
                sampler.threads().len() > 2
                    && samples.borrow().values().filter(|n| **n > 20).count() >= 2
            },
        );
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            assert_eq!(
                unsafe { libc::pthread_join(thread, std::ptr::null_mut()) },
                0
            );
        }
    }
}

#[test]
fn errno_and_calls_with_a_timeout_are_left_alone() {
    let _alone = alone();
    for kind in KINDS {
        // On ARM a call that a thread timer has ended cannot be entered again.
        let exact = kind == TimerKind::PerfEvent || cfg!(target_arch = "x86_64");
        let Some(mut sampler) = start(997, kind).filter(|_| exact) else {
            continue;
        };
        let wrong = Arc::new(AtomicU64::new(0));
        let calls = Arc::new(AtomicU64::new(0));
        let (counted, called) = (wrong.clone(), calls.clone());
        let _busy = Busy::new(move || unsafe {
            *libc::__errno_location() = 4321;
            spin_in_user_code();
            let kept = *libc::__errno_location() == 4321;
            let polled = libc::poll(std::ptr::null_mut(), 0, 1);
            called.fetch_add(1, Ordering::Relaxed);
            counted.fetch_add(u64::from(!kept || polled != 0), Ordering::Relaxed);
        });
        let samples = Cell::new(0);
        collect_until(
            &mut sampler,
            |sample| samples.set(samples.get() + sample.count),
            |_| samples.get() > 100 && calls.load(Ordering::Relaxed) > 500,
        );
        assert_eq!(wrong.load(Ordering::Relaxed), 0, "{kind:?}");
    }
}
