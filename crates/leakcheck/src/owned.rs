//! A part of a program in a scope of its own, with a check at its end.

use std::future::Future;

use taskscope::Scope;

use crate::{Options, check_with, fail};

/// Runs a future in a scope of its own, and then asserts that nothing which belongs to that scope is left.
///
/// For tests that share a runtime: who else spawns what there does not matter.
///
/// # Examples
///
/// ```
/// # let shared = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// let answer = shared.block_on(leakcheck::owned("asks twice", leakcheck::Options::new(), async {
///     taskscope::spawn(async { 21 }).await.map(|half| half * 2)
/// }));
/// assert_eq!(answer?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// With the report of [`Leaks`](crate::Leaks), if a task is left. With whatever the future panics with; then nothing is checked.
///
/// # Limitations
///
/// Tasks of plain `tokio::spawn` belong to no scope (with `--cfg tokio_unstable` and an observed runtime they do).
pub async fn owned<F: Future>(name: &str, options: Options, future: F) -> F::Output {
    let scope = Scope::new(name);
    let options = options.scope(&scope.to_ref()).test_or(name.to_owned());
    let output = scope.run(future).await;
    drop(scope);
    if let Err(leaks) = check_with(options).await {
        fail(&leaks)
    }
    output
}
