//! `IgnoreCreatedBy`, `IgnoreTopFunction`, `IgnoreAnyFunction`, and what goleak has not: by name
//! and by scope.
//!
//! Every test is a table of patterns that match the one task that is left, and of patterns that do
//! not: each is the other's control.

use futures::FutureExt;
use leakcheck::Options;
use taskscope::{JoinHandle, Scope};
use tokio::sync::oneshot;

use crate::support::{found, hasty, is_clean};

/// Functions that stand for a program's.
mod db {
    pub(super) mod pool {
        use tokio::sync::oneshot;

        pub(in super::super) async fn reap(told: oneshot::Receiver<()>) {
            wait_for_work(told).await;
        }

        async fn wait_for_work(told: oneshot::Receiver<()>) {
            let _ = told.await;
        }
    }

    pub(super) mod pools {
        use tokio::sync::oneshot;

        pub(in super::super) async fn reap(told: oneshot::Receiver<()>) {
            let _ = told.await;
        }
    }

    /// Its functions' names have arguments.
    pub(super) struct Reaper<T>(pub(super) T);

    impl<T: Send> Reaper<T> {
        pub(super) async fn run(self, told: tokio::sync::oneshot::Receiver<()>) {
            let kept = self.0;
            let _ = told.await;
            drop(kept);
        }
    }
}

type Rule = fn(Options, &str) -> Options;

fn at(options: Options, pattern: &str) -> Options {
    options.ignore_spawned_at(pattern, "known")
}

fn function(options: Options, pattern: &str) -> Options {
    options.ignore_function(pattern, "known")
}

fn name(options: Options, pattern: &str) -> Options {
    options.ignore_name(pattern, "known")
}

fn scope(options: Options, pattern: &str) -> Options {
    options.ignore_scope(pattern, "known")
}

/// One task is left; which of the patterns cover it?
async fn assert_matches(rule: Rule, matching: &[&str], others: &[&str]) {
    assert_eq!(found(hasty()).await.count(), 1);
    for pattern in matching {
        assert!(
            is_clean(rule(hasty(), pattern)).await,
            "{pattern:?} should match"
        );
    }
    for pattern in others {
        let leaks = found(rule(hasty(), pattern)).await;
        assert_eq!(leaks.count(), 1, "{pattern:?}");
        assert_eq!(leaks.unused_rules().len(), 1, "{pattern:?}");
    }
}

async fn end(tell: oneshot::Sender<()>, task: JoinHandle<()>) {
    drop(tell);
    task.await.expect("it ends without a panic");
}

/// `IgnoreCreatedBy`: by the file and line that spawned it. A file is matched from its end, by
/// whole names.
#[tokio::test]
async fn by_the_place_of_the_spawn() {
    let (tell, told) = oneshot::channel();
    let (line, task) = (line!(), taskscope::spawn(db::pool::reap(told)));
    let exactly = |line: u32| format!("places.rs:{line}");
    let (here, column, above) = (exactly(line), exactly(line) + ":*", exactly(line - 1));
    assert_matches(
        at,
        &[
            "places.rs",
            "goleak/places.rs",
            "tests/goleak/places.rs",
            "*/goleak/*.rs",
            "goleak/*",
            "*places*",
            &here,
            &column,
        ],
        &[
            "laces.rs",
            "/places.rs",
            "oleak/places.rs",
            "places.rs:",
            &above,
            &here[..here.len() - 1],
            // A directory alone is no file; these are not in the function's path, either.
            "tests/goleak",
            "Places.rs",
        ],
    )
    .await;
    end(tell, task).await;
}

/// `IgnoreCreatedBy`, by module: of the function that was spawned, by whole names.
#[tokio::test]
async fn by_the_path_of_the_spawned_function() {
    let (tell, told) = oneshot::channel();
    let task = taskscope::spawn(db::pool::reap(told));
    assert_matches(
        at,
        &[
            "goleak::places::db::pool::reap",
            "db::pool::reap",
            "pool::reap",
            "db::pool",
            "pool",
            "reap",
            "goleak",
            "db::*::reap",
            "*::pool::*",
            "p*l",
        ],
        &[
            "poo",
            "ool",
            "pools",
            "pools::reap",
            "db::reap",
            "db::pool::reape",
            "b::pool",
            // A function further down was not spawned.
            "wait_for_work",
        ],
    )
    .await;
    end(tell, task).await;
}

/// Functions that spawn: code of their own, of another module, and of nobody's.
mod start {
    use tokio::sync::oneshot::Receiver;

    use super::{JoinHandle, db};

    pub(super) fn own(told: Receiver<()>) -> JoinHandle<()> {
        taskscope::spawn(async move {
            let _ = told.await;
        })
    }

    pub(super) fn pool(told: Receiver<()>) -> JoinHandle<()> {
        taskscope::spawn(db::pool::reap(told))
    }
}

/// `IgnoreCreatedBy`, by function: what a function spawns in place is its own. Of what it spawns of
/// others, their path counts, or the file of the call.
#[tokio::test]
async fn by_the_function_that_spawned_it_if_the_code_is_there() {
    let (tell, told) = oneshot::channel();
    let task = start::own(told);
    for rule in [at as Rule, function] {
        let own = ["start::own", "places::start", "start"];
        assert_matches(rule, &own, &["own::start", "start::pool", "pool"]).await;
    }
    end(tell, task).await;

    let (tell, told) = oneshot::channel();
    let task = start::pool(told);
    let others = ["start::pool", "places::start", "start"];
    assert_matches(at, &["db::pool", "places.rs"], &others).await;
    assert_matches(function, &["db::pool"], &others).await;
    end(tell, task).await;

    let (tell, told) = oneshot::channel();
    let (line, task) = (line!(), taskscope::spawn(told.map(drop)));
    let here = format!("places.rs:{line}");
    assert_matches(at, &[&here, "futures_util"], &["places", "goleak"]).await;
    end(tell, task).await;
}

/// The issue's own example, the other way round.
#[tokio::test]
async fn a_name_that_only_begins_alike_is_another_one() {
    let (tell, told) = oneshot::channel();
    let task = taskscope::spawn(db::pools::reap(told));
    for rule in [at as Rule, function] {
        assert_matches(
            rule,
            &["pools", "pools::reap", "pool*"],
            &["pool", "pool::reap"],
        )
        .await;
    }
    end(tell, task).await;
}

/// `IgnoreTopFunction`, `IgnoreAnyFunction`: by the function at the top of the stack and by any
/// other.
#[tokio::test]
async fn by_the_top_function_and_by_any_function() {
    let (tell, told) = oneshot::channel();
    let task = taskscope::spawn(db::pool::reap(told));
    assert_matches(
        function,
        &[
            // The top: a function of a library.
            "tokio::sync::oneshot::Receiver",
            "tokio::sync::oneshot::Receiver::poll",
            "oneshot",
            // Functions further down.
            "db::pool::wait_for_work",
            "wait_for_work",
            "db::pool::reap",
            "goleak::places::db::*",
        ],
        &[
            "pools",
            "wait_for",
            "oneshot::Sender",
            // Functions of the runtime below a task's own are not on its stack.
            "tokio::runtime",
        ],
    )
    .await;
    end(tell, task).await;
}

/// `IgnoreAnyFunction`: the function that spawned a task is not one of the task's.
#[tokio::test]
async fn not_by_the_function_that_only_spawned_it() {
    fn only_spawns(told: oneshot::Receiver<()>) -> JoinHandle<()> {
        taskscope::spawn(db::pool::reap(told))
    }
    let (tell, told) = oneshot::channel();
    let task = only_spawns(told);
    assert_matches(function, &["reap"], &["only_spawns"]).await;
    end(tell, task).await;
}

/// goleak's form for methods is `pkg.(*Type).Method`; here it is `Type::method`, whatever the
/// type's arguments are.
#[tokio::test]
async fn by_a_method_of_a_generic_type() {
    let (tell, told) = oneshot::channel();
    let task = taskscope::spawn(db::Reaper(String::new()).run(told));
    for rule in [at as Rule, function] {
        assert_matches(
            rule,
            &[
                "db::Reaper::run",
                "Reaper::run",
                "Reaper",
                "run",
                "db::Reaper<*>::run",
            ],
            // Arguments are other people's types.
            &["String", "alloc", "Reape", "Reaper::ru"],
        )
        .await;
    }
    end(tell, task).await;
}

/// goleak's complaint 37: more than one name at once.
#[tokio::test]
async fn by_name() {
    let (tell, told) = oneshot::channel();
    let task = taskscope::spawn_named("pool reaper 7", db::pool::reap(told));
    assert_matches(
        name,
        &[
            "pool reaper 7",
            "pool reaper *",
            "*reaper*",
            "* 7",
            "p*r*7",
            "*",
            "pool reaper 7*",
        ],
        &[
            "pool reaper",
            "reaper*",
            "pool reaper 7 *",
            "Pool reaper 7",
            "*8",
            "p*r*r*r*7",
        ],
    )
    .await;
    end(tell, task).await;
}

#[tokio::test]
async fn a_task_without_a_name_has_none_that_matches() {
    let (tell, told) = oneshot::channel();
    let task = taskscope::spawn(db::pool::reap(told));
    assert_matches(name, &[], &["*", "pool"]).await;
    end(tell, task).await;
}

/// By the task's scope or one above it.
#[tokio::test]
async fn by_scope() {
    let service = Scope::new("price service");
    let request = service.child("GET /prices");
    let (tell, told) = oneshot::channel();
    let task = request.spawn(db::pool::reap(told));
    assert_matches(
        scope,
        &["GET /prices", "GET *", "price service", "*prices*"],
        &["GET", "prices", "service", "POST *"],
    )
    .await;
    end(tell, task).await;
}

/// A rule covers one of two tasks, the one that it is about.
#[tokio::test]
async fn each_rule_covers_its_own_tasks_and_no_others() {
    for rule in [at as Rule, function] {
        let ((tell, told), (tell_other, told_other)) = (oneshot::channel(), oneshot::channel());
        let task = taskscope::spawn(db::pool::reap(told));
        let other = taskscope::spawn(db::pools::reap(told_other));
        let leaks = found(rule(hasty(), "db::pool")).await;
        assert_eq!(leaks.count(), 1, "{leaks}");
        assert!(
            leaks.dump().tasks[0].future.contains("db::pools::reap"),
            "{leaks}"
        );
        assert!(leaks.unused_rules().is_empty(), "{leaks}");
        assert!(is_clean(rule(rule(hasty(), "db::pool"), "db::pools")).await);
        end(tell, task).await;
        end(tell_other, other).await;
    }
}
