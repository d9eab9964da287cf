//! Runs a test of `#[leakcheck::test]`: a runtime, the body in a scope of its own, then the check.
//!
//! The check never hides how the body ended, and comes after its last destructor. Not here: reading
//! the attribute (crate `leakcheck-macros`).

use std::fmt::Debug;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

use taskscope::Scope;
use tokio::runtime::{Builder, LocalOptions, Runtime};

use crate::check::{Drive, check_on};
use crate::{Leaks, Options, fail, say};

/// The arguments of the attribute.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// The path of the test.
    pub name: &'static str,
    /// The kind of runtime.
    pub flavor: Flavor,
    /// How many workers; `None` for one for each processor.
    pub worker_threads: Option<usize>,
    /// Sets `start_paused`, `unhandled_panic` and `name`. The attribute's code does so, because
    /// these methods depend on features and flags that the test's crate may lack.
    pub configure: fn(&mut Builder),
    /// Whether the test has `#[should_panic]`.
    pub should_panic: bool,
}

/// The kinds of runtimes that tokio has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// One thread.
    CurrentThread,
    /// Worker threads.
    MultiThread,
    /// One thread, with `spawn_local` outside of a `LocalSet`.
    Local,
}

/// A value that a test can return.
pub trait TestOutput: Sized {
    /// Whether the test harness takes the value for a failure.
    fn has_failed(&self) -> bool;

    /// The value of a test that returns `()`; `None` for all others.
    fn unit() -> Option<Self> {
        None
    }
}

impl TestOutput for () {
    fn has_failed(&self) -> bool {
        false
    }

    fn unit() -> Option<()> {
        Some(())
    }
}

impl TestOutput for ExitCode {
    fn has_failed(&self) -> bool {
        *self != ExitCode::SUCCESS
    }
}

impl<T: TestOutput, E: Debug> TestOutput for Result<T, E> {
    fn has_failed(&self) -> bool {
        self.as_ref().map_or(true, TestOutput::has_failed)
    }
}

/// Runs a test on a runtime of its own. Everything that is left there is its leak.
#[track_caller]
pub fn run_test<F>(setup: Setup, options: impl FnOnce() -> Options, body: F) -> F::Output
where
    F: Future,
    F::Output: TestOutput,
{
    let mut builder = builder(&setup);
    // A task that is left, also one that is allowed or listed, may block its thread for ever. So
    // the runtime is shut down without waiting; else nobody would see the report.
    let ended = if setup.flavor == Flavor::Local {
        let runtime = built(builder.build_local(LocalOptions::default()));
        let ended = run(&runtime, setup, options, body);
        runtime.shutdown_background();
        ended
    } else {
        let runtime = built(builder.build());
        let ended = run(&runtime, setup, options, body);
        runtime.shutdown_background();
        ended
    };
    ended.finish(setup)
}

/// Runs a test on a shared runtime. What is left of the test's own scope is its leak.
#[track_caller]
pub fn run_test_on<F>(
    runtime: &Runtime,
    setup: Setup,
    options: impl FnOnce() -> Options,
    body: F,
) -> F::Output
where
    F: Future,
    F::Output: TestOutput,
{
    let options = {
        let _entered = runtime.enter();
        options()
    };
    let scope = Scope::new(setup.name);
    let options = options.scope(&scope.to_ref()).test_or(setup.name);
    run_in(runtime, setup, scope, options, body).finish(setup)
}

fn builder(setup: &Setup) -> Builder {
    let mut builder = match setup.flavor {
        Flavor::MultiThread => Builder::new_multi_thread(),
        Flavor::CurrentThread | Flavor::Local => Builder::new_current_thread(),
    };
    builder.enable_all();
    if let Some(threads) = setup.worker_threads {
        builder.worker_threads(threads);
    }
    (setup.configure)(&mut builder);
    #[cfg(tokio_unstable)]
    taskscope::observe(&mut builder);
    builder
}

#[track_caller]
fn built<R>(runtime: std::io::Result<R>) -> R {
    runtime.unwrap_or_else(|error| panic!("leakcheck: no runtime for the test: {error}"))
}

fn run<F>(
    runtime: &impl Drive,
    setup: Setup,
    options: impl FnOnce() -> Options,
    body: F,
) -> Ended<F::Output>
where
    F: Future,
    F::Output: TestOutput,
{
    let _entered = runtime.handle().enter();
    let options = options().test_or(setup.name);
    run_in(runtime, setup, Scope::new(setup.name), options, body)
}

fn run_in<F>(
    runtime: &impl Drive,
    setup: Setup,
    scope: Scope,
    mut options: Options,
    body: F,
) -> Ended<F::Output>
where
    F: Future,
    F::Output: TestOutput,
{
    // However the body ends, it is dropped with all its values when this returns.
    let body = catch_unwind(AssertUnwindSafe(|| runtime.block_on(scope.run(body))));
    drop(scope);
    options.failed = match &body {
        Ok(output) => output.has_failed() || setup.should_panic,
        Err(_) => !setup.should_panic,
    };
    let check = catch_unwind(AssertUnwindSafe(|| check_on(runtime, options)));
    match check {
        Ok(check) => Ended {
            body,
            leaks: check.err(),
        },
        Err(panic) => match body {
            Ok(_) => resume_unwind(panic),
            Err(panic) => resume_unwind(panic),
        },
    }
}

/// How the body and the check ended.
struct Ended<T> {
    body: std::thread::Result<T>,
    leaks: Option<Leaks>,
}

impl<T: TestOutput> Ended<T> {
    #[track_caller]
    fn finish(self, setup: Setup) -> T {
        let Some(leaks) = self.leaks else {
            return self.body.unwrap_or_else(|panic| resume_unwind(panic));
        };
        match self.body {
            Ok(output) if setup.should_panic => {
                say(leaks);
                output
            }
            Ok(output) if output.has_failed() => {
                say(format_args!("the test failed, and {leaks}"));
                output
            }
            Ok(_) => fail(&leaks),
            Err(panic) => {
                say(format_args!("the test panicked, and {leaks}"));
                match T::unit() {
                    // With the panic the test would pass in spite of its leaks. Not to panic is the
                    // only way to fail it.
                    Some(unit) if setup.should_panic => {
                        say(
                            "leakcheck: the test panicked as it should; it fails because of the tasks above",
                        );
                        unit
                    }
                    _ => resume_unwind(panic),
                }
            }
        }
    }
}
