//! A service with tasks to look at, its profiles, and a browser that looks.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use taskscope::Scope;
use taskscope_tests::browser::Browser;
use taskscope_tests::{Answer, get};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Where the router is nested.
pub(crate) const PREFIX: &str = "/debug/profile";

/// Records are the process's: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

/// A service of two workers with its profiles. Its tasks end with it.
pub(crate) struct Stage {
    runtime: Option<Runtime>,
    server: Option<taskprof::Server>,
    address: SocketAddr,
    /// Senders that are kept, so that their receivers wait for ever.
    kept: Mutex<Vec<mpsc::Sender<()>>>,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        // A test that failed leaves nothing that the next one could stumble over.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("service-worker")
            .enable_all()
            .build()
            .unwrap();
        let server = {
            let _inside = runtime.enter();
            taskprof::serve("127.0.0.1:0").unwrap()
        };
        Stage {
            address: server.local_addr(),
            runtime: Some(runtime),
            server: Some(server),
            kept: Mutex::default(),
            _turn: turn,
        }
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("until it is dropped")
    }

    /// Stops serving; the service goes on.
    pub(crate) fn close(&mut self) {
        let server = self.server.take().expect("until it is closed");
        server.shutdown();
    }

    /// Serves again, where it was.
    pub(crate) fn reopen(&mut self) {
        let _inside = self.runtime().enter();
        let server = taskprof::serve(self.address).unwrap();
        self.server = Some(server);
    }

    /// The address of a page: `""` is the Overview, `"/page/tasks"` the Tasks.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("http://{}{PREFIX}{path}", self.address)
    }

    /// The server's answer for a path below the prefix.
    pub(crate) fn get(&self, path: &str) -> Answer {
        get(self.address, &format!("{PREFIX}{path}"))
    }

    /// The server's answer for a whole URL of its own.
    pub(crate) fn get_url(&self, url: &str) -> Answer {
        let origin = format!("http://{}", self.address);
        let path = url.strip_prefix(&origin);
        get(
            self.address,
            path.unwrap_or_else(|| panic!("{url} is not of {origin}")),
        )
    }

    /// Tasks that wait for a message.
    pub(crate) fn waiting(&self, scope: &Scope, name: &str, many: usize) {
        let _inside = self.runtime().enter();
        for _ in 0..many {
            let (sender, mut receiver) = mpsc::channel::<()>(1);
            let task = taskscope::Builder::new()
                .name(name.to_owned())
                .scope(scope.to_ref());
            drop(task.spawn(async move { wait_for_a_parcel(&mut receiver).await }));
            self.kept.lock().unwrap().push(sender);
        }
    }

    /// Tasks that sleep for an hour.
    pub(crate) fn sleeping(&self, scope: &Scope, name: &str, many: usize) {
        let _inside = self.runtime().enter();
        for _ in 0..many {
            let task = taskscope::Builder::new()
                .name(name.to_owned())
                .scope(scope.to_ref());
            drop(task.spawn(tokio::time::sleep(Duration::from_secs(3600))));
        }
    }

    /// Tasks that nothing can wake.
    pub(crate) fn stuck(&self, scope: &Scope, name: &str, many: usize) {
        let _inside = self.runtime().enter();
        for _ in 0..many {
            let task = taskscope::Builder::new()
                .name(name.to_owned())
                .scope(scope.to_ref());
            drop(task.spawn(pending::<()>()));
        }
    }

    /// Spawns the tasks of a shop, some of each sort that the page shows; returns the scopes that
    /// are open.
    pub(crate) fn a_shop(&self) -> Vec<Scope> {
        let orders = Scope::new("POST /orders")
            .label("method", "POST")
            .label("route", "/orders");
        let payment = orders.child("payment");
        self.waiting(&orders, "courier", 12);
        self.sleeping(&payment, "retry", 3);
        self.stuck(&orders, "config-watcher", 2);
        let ended = Scope::new("GET /stock");
        self.waiting(&ended, "audit", 5);
        drop(ended);
        self.settled();
        vec![orders, payment]
    }

    /// Waits until no task has something to do: all of them wait.
    pub(crate) fn settled(&self) {
        use taskscope::{DumpOptions, Stacks, dump::State};
        loop {
            let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
            let idle = |task: &taskscope::TaskDump| matches!(task.state, State::Idle { .. });
            if dump.tasks.iter().all(idle) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }
}

/// Named, so that a stack shows it.
async fn wait_for_a_parcel(receiver: &mut mpsc::Receiver<()>) {
    receiver.recv().await;
}

/// A thread that keeps a processor busy in a function with a name, until it is dropped.
pub(crate) struct Busy {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Busy {
    pub(crate) fn with(work: fn(&AtomicBool) -> u64) -> Busy {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || work(&stop)
        });
        Busy {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[inline(never)]
pub(crate) fn weigh_the_parcels(stop: &AtomicBool) -> u64 {
    let mut weight = 1_u64;
    while !stop.load(Ordering::Relaxed) {
        for parcel in 0..100_000_u64 {
            weight = std::hint::black_box(weight.wrapping_mul(31).wrapping_add(parcel));
        }
    }
    weight
}

#[inline(never)]
pub(crate) fn lick_the_stamps(stop: &AtomicBool) -> u64 {
    let mut stamps = 7_u64;
    while !stop.load(Ordering::Relaxed) {
        for stamp in 0..100_000_u64 {
            stamps = std::hint::black_box(stamps.rotate_left(5) ^ stamp);
        }
    }
    stamps
}

/// The four views, as the navigation calls them, and where they are.
pub(crate) const VIEWS: [(&str, &str); 4] = [
    ("Overview", ""),
    ("Tasks", "/page/tasks"),
    ("Scopes", "/page/scopes"),
    ("Profiles", "/page/profiles"),
];

/// All numbers of a text, with or without separators of thousands: "12 of 100,000 tasks" is 12 and
/// 100000.
pub(crate) fn numbers(text: &str) -> Vec<u64> {
    let mut bare = String::new();
    let letters: Vec<char> = text.chars().collect();
    for (at, &letter) in letters.iter().enumerate() {
        let digit = |at: Option<usize>| {
            at.and_then(|at| letters.get(at))
                .is_some_and(char::is_ascii_digit)
        };
        let between = digit(at.checked_sub(1)) && digit(Some(at + 1)) && digit(Some(at + 3));
        // A comma, a thin or an ordinary space, an apostrophe between digits.
        if between && matches!(letter, ',' | '\u{202f}' | '\u{2009}' | '\u{a0}' | '\'') {
            continue;
        }
        bare.push(letter);
    }
    bare.split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// The numbers that `#count` shows: how many match, of how many.
pub(crate) fn count_shown(browser: &Browser) -> Vec<u64> {
    numbers(&browser.texts("#count").concat())
}

/// Waits until `#count` begins with a number.
pub(crate) fn wait_for_count(browser: &Browser, many: u64) {
    browser.wait(&format!("#count to show {many}"), || {
        (count_shown(browser).first() == Some(&many)).then_some(())
    });
}

/// The value of the first choice of a `<select>` whose text or value has a text in it.
pub(crate) fn choice_with(browser: &Browser, css: &str, text: &str) -> String {
    let found = browser.script_with(
        "return [...document.querySelectorAll(arguments[0] + ' option')]
            .filter(one => (one.textContent + ' ' + one.value).includes(arguments[1])).map(one => one.value)[0] ?? null",
        &[css.into(), text.into()],
    );
    let choices = browser.texts(&format!("{css} option"));
    found
        .as_str()
        .unwrap_or_else(|| panic!("{css} has no choice with {text}: {choices:?}"))
        .to_owned()
}

/// Sends the filter, if choosing alone has not.
pub(crate) fn filter(browser: &Browser, css: &str, value: &str) {
    browser.choose(css, value);
    apply_filter(browser);
}

/// Presses the button of the filter, where there is one to press.
pub(crate) fn apply_filter(browser: &Browser) {
    const BUTTON: &str = "form#filter button, form#filter input[type=submit]";
    let there = browser.script_with(
        "return document.querySelector(arguments[0])?.checkVisibility() ?? false",
        &[BUTTON.into()],
    );
    if there == true {
        browser.click(BUTTON);
    }
}
