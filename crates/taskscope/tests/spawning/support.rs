//! Dumps without stacks, and waiting for events.

use std::time::{Duration, Instant};

use taskscope::{DumpOptions, Stacks, TaskDump};

/// All tasks of the process, as they stand.
pub(crate) fn dumped() -> taskscope::Dump {
    DumpOptions::new().stacks(Stacks::None).capture_blocking()
}

/// The one task with this name.
pub(crate) fn named(name: &str) -> Option<TaskDump> {
    let mut tasks = dumped().tasks.into_iter();
    tasks.find(|task| task.name.as_deref() == Some(name))
}

/// Asks until there is an answer. What is waited for is another thread's doing.
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}
