//! Shared dumps: one for all who ask for the same of the same tasks before it begins.
//!
//! Dumps are taken one after the other (`cpu_permit.rs`). Askers who come while one is taken and
//! want the same get the next one together: it is younger than every one of their questions. Who
//! asks alone has a dump of its own. Not here: how tasks are read (`tasks/fold.rs`), what is made
//! of them.

use std::any::{Any, TypeId};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::cpu_permit;
use crate::error::Error;
use crate::tasks::TaskQuestion;

/// The result of a dump.
type Outcome = Result<Arc<dyn Any + Send + Sync>, Arc<Error>>;
type OutcomeReceiver = watch::Receiver<Option<Outcome>>;

/// The line in which a dump waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Behind all other dumps.
    Usual,
    /// Behind scrapes and overviews only.
    Prompt,
}

/// A dump that was asked for and has not begun.
struct Waiting {
    round: u64,
    /// The name of the source, and what is made of its tasks.
    what: (&'static str, TypeId),
    question: TaskQuestion,
    outcome: OutcomeReceiver,
}

static WAITING: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());

fn waiting() -> MutexGuard<'static, Vec<Waiting>> {
    crate::sync::lock(&WAITING)
}

/// The part of a round that its thread has. Dropped without an outcome, it tells those who wait
/// that there will be none.
struct Round {
    number: u64,
    sender: watch::Sender<Option<Outcome>>,
}

impl Round {
    /// Nobody joins any more.
    fn close(&self) {
        waiting().retain(|dump| dump.round != self.number);
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.close();
    }
}

/// Takes a dump of a source's tasks after this call, on a thread of this name, and gives what
/// `make` makes of it. For one source, the type of the result tells what is made.
///
/// # Errors
///
/// Those of `make`, and if the thread could not be started, or panicked.
///
/// # Cancel safety
///
/// A dump that nobody waits for when it could begin is not taken.
pub(super) async fn dump<T: Send + Sync + 'static>(
    thread: &str,
    source: &'static str,
    line: Line,
    question: TaskQuestion,
    make: impl FnOnce(TaskQuestion) -> Result<T, Error> + Send + 'static,
) -> Result<Arc<T>, Error> {
    let panicked = || {
        Error::sampler(format!(
            "the thread {thread} panicked; its message is on standard error"
        ))
    };
    let mut receiver = join(thread, source, line, question, make)?;
    let outcome = receiver.wait_for(Option::is_some).await;
    let outcome = outcome.ok().and_then(|outcome| outcome.clone());
    match outcome.ok_or_else(panicked)? {
        Ok(made) => made.downcast().map_err(|_| panicked()),
        Err(error) => Err(error.again()),
    }
}

fn join<T: Send + Sync + 'static>(
    thread: &str,
    source: &'static str,
    line: Line,
    question: TaskQuestion,
    make: impl FnOnce(TaskQuestion) -> Result<T, Error> + Send + 'static,
) -> Result<OutcomeReceiver, Error> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let what = (source, TypeId::of::<T>());
    let mut rounds = waiting();
    let same = rounds
        .iter()
        .find(|dump| dump.what == what && dump.question == question);
    if let Some(same) = same {
        return Ok(same.outcome.clone());
    }
    let (sender, outcome) = watch::channel(None);
    let round = Round {
        number: NUMBER.fetch_add(1, Ordering::Relaxed),
        sender,
    };
    rounds.push(Waiting {
        round: round.number,
        what,
        question: question.clone(),
        outcome: outcome.clone(),
    });
    drop(rounds);
    crate::thread::spawn(thread, move || run(&round, line, || make(question)))
        .map_err(|e| crate::thread::not_started(thread, e))?;
    Ok(outcome)
}

fn run<T: Send + Sync + 'static>(
    round: &Round,
    line: Line,
    make: impl FnOnce() -> Result<T, Error>,
) {
    let _permit = match line {
        Line::Usual => cpu_permit::DUMPS.acquire_blocking(),
        Line::Prompt => cpu_permit::PROMPT.acquire_blocking(),
    };
    round.close();
    if !round.sender.is_closed() {
        let outcome: Outcome = match make() {
            Ok(made) => Ok(Arc::new(made)),
            Err(error) => Err(Arc::new(error)),
        };
        round.sender.send_replace(Some(outcome));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use taskscope::{Dump, DumpOptions, Stacks};

    use super::*;

    fn all(question: TaskQuestion) -> Dump {
        let options = question.options;
        options.stacks(Stacks::None).capture_blocking()
    }

    // Through a private door: from outside, a line cannot be held.
    #[tokio::test]
    async fn who_asks_for_the_same_in_line_gets_the_same_and_who_comes_later_or_asks_for_other_tasks_does_not()
     {
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        fn counted(question: TaskQuestion) -> Result<Dump, Error> {
            TAKEN.fetch_add(1, Ordering::SeqCst);
            Ok(all(question))
        }
        let ask = |options| {
            let question = TaskQuestion {
                options,
                filter: None,
            };
            tokio::spawn(dump("test", "counted", Line::Usual, question, counted))
        };
        let permit = cpu_permit::DUMPS.acquire_blocking();
        let same = [(); 5].map(|()| ask(DumpOptions::new()));
        let gone = ask(DumpOptions::new().limit(2));
        let other = ask(DumpOptions::new().limit(1));
        // All have joined, or begun a round.
        while waiting()
            .iter()
            .filter(|dump| dump.what.0 == "counted")
            .count()
            < 3
        {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        gone.abort();
        assert!(gone.await.is_err());
        assert_eq!(TAKEN.load(Ordering::SeqCst), 0);
        drop(permit);
        let mut dumps = Vec::new();
        for same in same {
            dumps.push(same.await.unwrap().unwrap());
        }
        assert!(dumps.iter().all(|dump| Arc::ptr_eq(dump, &dumps[0])));
        let other = other.await.unwrap().unwrap();
        assert!(!Arc::ptr_eq(&other, &dumps[0]));
        let later = ask(DumpOptions::new()).await.unwrap().unwrap();
        assert!(!Arc::ptr_eq(&later, &dumps[0]));
        assert_eq!(
            TAKEN.load(Ordering::SeqCst),
            3,
            "nobody waited for the fourth"
        );
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_one_is_not_spoiled() {
        static BROKEN: AtomicUsize = AtomicUsize::new(1);
        fn breaks_once(question: TaskQuestion) -> Result<Dump, Error> {
            assert_eq!(BROKEN.swap(0, Ordering::SeqCst), 0, "as asked");
            Ok(all(question))
        }
        let ask = || {
            dump(
                "test",
                "breaks",
                Line::Usual,
                TaskQuestion::default(),
                breaks_once,
            )
        };
        assert!(ask().await.is_err());
        assert!(ask().await.is_ok());
    }
}
