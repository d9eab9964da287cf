//! [`check_scope`]: a future in a scope of its own, with a check at its end.
//!
//! Not here: the check itself ([`crate::check`]).

use std::future::Future;

use taskscope::Scope;

use crate::{Options, check_with, fail};

/// Runs a future in a scope of its own, and then asserts that no task of that scope is left.
///
/// For tests that share a runtime: tasks of others on that runtime do not count.
///
/// # Examples
///
/// ```
/// # let shared = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// let options = leakcheck::Options::new();
/// let answer = shared.block_on(leakcheck::check_scope("asks twice", options, async {
///     taskscope::spawn(async { 21 }).await.map(|half| half * 2)
/// }));
/// assert_eq!(answer?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// With the report of [`Leaks`](crate::Leaks), if a task is left. A panic of the future is passed
/// on; then nothing is checked.
///
/// # Limitations
///
/// Tasks of plain `tokio::spawn` belong to no scope, except on an observed runtime
/// (`--cfg tokio_unstable`).
pub async fn check_scope<F: Future>(name: &str, options: Options, future: F) -> F::Output {
    let scope = Scope::new(name);
    let options = options.scope(&scope.to_ref()).test_or(name.to_owned());
    let output = scope.run(future).await;
    drop(scope);
    if let Err(leaks) = check_with(options).await {
        fail(&leaks)
    }
    output
}
