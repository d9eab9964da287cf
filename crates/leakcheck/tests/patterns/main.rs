//! The patterns of Go's leak-profile test-suite in tokio's terms: fifteen small ones, and those
//! that production code has.
//!
//! A row names a pattern and what the check has to say of each task that is left: the verdict and
//! what it waits for, sorted. It makes two tests: the leak is found, and the same code without the
//! mistake is clean. Not here: the patterns themselves ([`micro`], [`production`]).

mod micro;
mod production;

use std::time::Duration;

use leakcheck::{Leaks, Options};
use tokio::runtime::Builder;

/// How a pattern is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With the mistake.
    Leaking,
    /// Without.
    Fixed,
}

impl Form {
    fn is_fixed(self) -> bool {
        self == Form::Fixed
    }
}

/// Runs a pattern and then the check; what the pattern returns stays alive meanwhile.
fn check<F: Future>(pattern: fn(Form) -> F, form: Form, settle: Duration) -> Result<(), Leaks> {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let kept = pattern(form).await;
        let checked = leakcheck::check_with(Options::new().settle(settle)).await;
        drop(kept);
        checked
    })
}

/// Long enough for tasks to get where they wait.
const SOON: Duration = Duration::from_millis(50);

/// Long enough for a verdict about what a task makes of its cancellation.
const AFTER_GRACE: Duration =
    Duration::from_millis(taskscope::verdict::CANCEL_GRACE.as_millis() as u64 + 100);

/// Long enough that a test which waited for it would never end.
const FOREVER: Duration = Duration::from_secs(3600);

macro_rules! rows {
    ($($module:ident::$name:ident, $settle:ident: $left:expr;)*) => {
        $(
            mod $name {
                #[test]
                fn the_leak_is_found() {
                    let leaks = crate::check(crate::$module::$name, crate::Form::Leaking, crate::$settle);
                    let leaks = leaks.expect_err("something is left");
                    let mut left: Vec<String> = leaks.dump().tasks.iter().map(|task| {
                        format!("{}: {}", task.verdict, task.wait_reason())
                    }).collect();
                    left.sort();
                    assert_eq!(left, $left, "{leaks}");
                    assert_eq!(leaks.untracked(), 0, "{leaks}");
                    for task in &leaks.dump().tasks {
                        let name = concat!("patterns::", stringify!($module), "::", stringify!($name));
                        assert!(task.future.starts_with(name), "{leaks}");
                        assert!(task.site.file().contains(stringify!($module)), "{leaks}");
                    }
                }

                /// A clean check does not wait, so it may.
                #[test]
                fn the_fixed_form_is_clean() {
                    let checked = crate::check(crate::$module::$name, crate::Form::Fixed, crate::FOREVER);
                    checked.unwrap();
                }
            }
        )*
    };
}

rows! {
    // Nothing can ever wake these, so there is no wait for them.
    micro::receive_on_nothing, FOREVER: ["stuck: nothing"];
    micro::send_on_nothing, FOREVER: ["stuck: nothing"];
    micro::select_on_nothing, FOREVER: ["stuck: nothing"];
    micro::receive, SOON: ["idle: mpsc recv"];
    micro::send, SOON: ["idle: mpsc send"];
    micro::select, SOON: ["idle: mpsc recv | oneshot recv"];
    micro::wait_for_a_group, SOON: ["idle: task tracker"];
    micro::lock_a_mutex_on_the_stack, SOON: ["idle: mutex lock"];
    micro::lock_a_dead_mutex_on_the_heap, SOON: ["idle: mutex lock"];
    micro::wait_for_a_condition, SOON: ["idle: notify"];
    micro::read_lock, SOON: ["idle: rwlock read"];
    micro::write_lock, SOON: ["idle: rwlock write"];
    micro::mixed, SOON: ["idle: join", "idle: mutex lock"];
    micro::wait_for_a_global, SOON: ["idle: notify"];
    micro::select_in_main, SOON: ["idle: oneshot recv"];

    production::unclosed_channel_with_workers, SOON:
        ["idle: mpsc recv", "idle: mutex lock", "idle: mutex lock"];
    production::unclosed_channel_without_workers, SOON: ["idle: mpsc send"];
    production::pipeline_with_a_forgotten_sender, SOON: ["idle: mpsc recv", "idle: mpsc recv"];
    production::start_without_stop, SOON: ["idle: notify | accept"];
    production::handler_of_a_silent_client, SOON: ["idle: io readable"];
    production::double_send, SOON: ["idle: mpsc send"];
    production::early_return, SOON: ["idle: interval tick"];
    production::n_cast, SOON: ["idle: io readable", "idle: io readable"];
    production::broadcast_fan_out, SOON:
        ["idle: broadcast recv", "idle: broadcast recv", "idle: broadcast recv"];
    production::timeout_around_a_spawned_task, SOON: ["idle: oneshot recv"];
    production::permit_that_is_not_given_back, SOON: ["idle: semaphore acquire"];
    production::join_of_a_task_that_never_ends, SOON: ["idle: join", "idle: watch changed"];
    production::context_that_nobody_looks_at, AFTER_GRACE: ["cancel ignored: oneshot recv"];
    production::cleanup_that_does_not_end, AFTER_GRACE: ["cancel slow: oneshot recv"];
    production::request_that_outlives_its_scope, SOON: ["outlived: sleep"];
}
