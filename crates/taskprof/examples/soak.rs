//! Samples a process that does everything that is dangerous to interrupt, for as long as it is
//! told, and prints how much of it was survived.
//!
//! `soak [SECONDS, 60] [HZ, 10000] [timer: perf or thread]`. Called by `scripts/soak`. A crash or a
//! hang is the failure; the table says how often each thing was done.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that reports on its output"
)]

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux {
    use std::ffi::{CStr, c_void};
    use std::mem::zeroed;
    use std::process::{Command, Stdio};
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
    use std::thread::Builder;
    use std::time::{Duration, Instant};

    use callstack::sampler::{Options, Sampler, TimerKind};
    use taskscope::attribution;

    static STOP: AtomicBool = AtomicBool::new(false);

    /// Counts how often one dangerous thing was done.
    struct Count {
        what: &'static str,
        done: AtomicU64,
    }

    impl Count {
        const fn new(what: &'static str) -> Count {
            Count {
                what,
                done: AtomicU64::new(0),
            }
        }

        fn one(&self) {
            self.done.fetch_add(1, Relaxed);
        }
    }

    static PANICS: Count = Count::new("panics of tasks");
    static ALLOCATIONS: Count = Count::new("allocations, in four threads");
    static LIBRARIES: Count = Count::new("libraries loaded and unloaded");
    static THREADS: Count = Count::new("threads started and ended");
    static SMALL: Count = Count::new("of them with 16 KiB of stack");
    static CHILDREN: Count = Count::new("processes forked and executed");
    static NESTED: Count = Count::new("signals of the application, nested");
    static EXITS: Count = Count::new("processes that ended in a capture");
    static CAPTURES: Count = Count::new("samplers started and stopped");
    static FORKS: Count = Count::new("children that only forked, and exited");

    fn until_stopped(name: &str, mut each: impl FnMut() + Send + 'static) {
        let thread = Builder::new().name(name.to_owned());
        let work = move || {
            while !STOP.load(Relaxed) {
                each();
            }
        };
        thread.spawn(work).unwrap();
    }

    fn burn(time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            std::hint::black_box(());
        }
    }

    #[inline(never)]
    fn deep(n: usize) -> usize {
        assert!(n > 0, "storm");
        std::hint::black_box(deep(std::hint::black_box(n - 1)) + 1)
    }

    fn panics(runtime: &tokio::runtime::Runtime) {
        std::panic::set_hook(Box::new(|_| {}));
        for _ in 0..2 {
            runtime.spawn(async {
                while !STOP.load(Relaxed) {
                    let panicked = taskscope::spawn(async { deep(20) }).await;
                    assert!(panicked.is_err());
                    PANICS.one();
                }
            });
        }
    }

    fn allocations() {
        for _ in 0..4 {
            let mut round = 0_usize;
            until_stopped("allocates", move || {
                let sizes = [16, 200, 3000, 70_000, 300_000];
                let blocks = sizes.map(|size| vec![1_u8; size + round % 100]);
                std::hint::black_box(&blocks);
                round += 1;
                ALLOCATIONS.done.fetch_add(5, Relaxed);
            });
        }
    }

    fn libraries() {
        const NAMES: [&CStr; 3] = [
            c"libBrokenLocale.so.1",
            c"libthread_db.so.1",
            c"libanl.so.1",
        ];
        until_stopped("loads", || {
            for name in NAMES {
                // SAFETY: libraries of libc without constructors that matter; each is closed once.
                unsafe {
                    let library = libc::dlopen(name.as_ptr(), libc::RTLD_NOW);
                    if !library.is_null() {
                        libc::dlclose(library);
                        LIBRARIES.one();
                    }
                }
            }
        });
    }

    extern "C" fn in_c(_: *mut c_void) -> *mut c_void {
        burn(Duration::from_millis(2));
        null_mut()
    }

    fn threads() {
        until_stopped("starts", || {
            let threads: Vec<_> = (0..8)
                .map(|_| std::thread::spawn(|| burn(Duration::from_micros(500))))
                .collect();
            for thread in threads {
                thread.join().unwrap();
                THREADS.one();
            }
        });
        until_stopped("starts-small", || {
            // SAFETY: the attributes are initialised before use, and the thread is joined.
            unsafe {
                let mut attributes: libc::pthread_attr_t = zeroed();
                let mut thread: libc::pthread_t = zeroed();
                libc::pthread_attr_init(&mut attributes);
                libc::pthread_attr_setstacksize(&mut attributes, 16 * 1024);
                if libc::pthread_create(&mut thread, &attributes, in_c, null_mut()) == 0 {
                    libc::pthread_join(thread, null_mut());
                    SMALL.one();
                }
            }
        });
    }

    fn processes() {
        until_stopped("executes", || {
            let status = Command::new("/bin/true").status().unwrap();
            assert!(status.success(), "a child was killed: {status}");
            CHILDREN.one();
            std::thread::sleep(Duration::from_millis(5));
        });
        until_stopped("forks", || {
            // SAFETY: the child does nothing but end.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: as above.
                unsafe { libc::_exit(7) };
            }
            let mut status = 0;
            // SAFETY: waits for the child that was made above.
            while unsafe { libc::waitpid(child, &mut status, 0) } < 0 {}
            assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7);
            FORKS.one();
            std::thread::sleep(Duration::from_millis(20));
        });
        until_stopped("exits", || {
            let mut inner = Command::new("/proc/self/exe");
            let inner = inner.arg("exit").stdout(Stdio::null());
            let status = inner.status().unwrap();
            assert!(status.success(), "ended in a capture: {status}");
            EXITS.one();
            std::thread::sleep(Duration::from_millis(200));
        });
    }

    extern "C" fn nested(_: i32) {
        burn(Duration::from_micros(200));
        NESTED.one();
    }

    fn signals() {
        // SAFETY: the handler counts and burns.
        unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = nested as *const () as usize;
            action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigaction(libc::SIGUSR2, &action, null_mut());
        }
        until_stopped("nests", || {
            // SAFETY: there is a handler.
            unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2) };
        });
    }

    /// Ends this process while it samples.
    fn exit() {
        let _sampler = Sampler::start(Options {
            hz: 2000,
            ..Options::default()
        })
        .unwrap();
        for _ in 0..3 {
            std::thread::spawn(|| burn(Duration::from_secs(10)));
        }
        burn(Duration::from_millis(30));
        std::process::exit(0);
    }

    pub(crate) fn main() {
        let arguments: Vec<String> = std::env::args().collect();
        let number = |n: usize, default| arguments.get(n).map_or(default, |it| it.parse().unwrap());
        if arguments.get(1).is_some_and(|what| what == "exit") {
            return exit();
        }
        let (seconds, hz): (u64, u32) = (number(1, 60), number(2, 10_000) as u32);
        let timer = arguments.get(3).map(|kind| match kind.as_str() {
            "thread" => TimerKind::ThreadCpuTimer,
            _ => TimerKind::PerfEvent,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        panics(&runtime);
        allocations();
        libraries();
        threads();
        processes();
        signals();
        let (mut samples, mut frames, mut cut, mut lost, mut foreign) =
            (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
        let mut unseen = Duration::ZERO;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds) {
            // Begun and ended again and again.
            let options = Options {
                hz,
                timer,
                label: || attribution::current().to_words(),
            };
            let mut sampler = Sampler::start(options).unwrap();
            CAPTURES.one();
            let part = Instant::now();
            while part.elapsed() < Duration::from_secs(2) {
                std::thread::sleep(Duration::from_millis(5));
                let collected = sampler.collect(&mut |sample| {
                    samples += 1;
                    frames += sample.frames.len() as u64;
                    cut += u64::from(sample.completeness != callstack::Completeness::Complete);
                });
                lost += collected.dropped;
                foreign += collected.foreign;
                unseen += collected.unsampled;
            }
        }
        STOP.store(true, Relaxed);
        println!("| survived | count |\n| --- | ---: |");
        println!("| samples ({hz} Hz, {seconds} s) | {samples} |");
        println!("| frames in them | {frames} |");
        println!("| stacks that end early | {cut} |");
        println!("| signals without room for a sample, counted | {lost} |");
        println!("| signals of others, counted | {foreign} |");
        println!("| CPU time of threads that ended unseen, counted | {unseen:.1?} |");
        for count in [
            &CAPTURES,
            &PANICS,
            &ALLOCATIONS,
            &LIBRARIES,
            &THREADS,
            &SMALL,
            &CHILDREN,
            &FORKS,
            &EXITS,
            &NESTED,
        ] {
            println!("| {} | {} |", count.what, count.done.load(Relaxed));
        }
        // With all threads at work.
        std::process::exit(0);
    }
}

fn main() {
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    linux::main();
}
