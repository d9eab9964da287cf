//! One look for all who ask for the same of the same tasks before it begins.
//!
//! Where askers are in line (`turn.rs`), those who want the same need not wait for each other: what is taken when it is the first one's turn is younger than every one of their
//! questions. Who asks alone has a look of its own.
//! Not here: how tasks are looked at, what is made of it.

use std::any::{Any, TypeId};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskscope::DumpOptions;
use tokio::sync::watch;

use crate::cpu_permit::CpuPermit;
use crate::error::Error;

/// What has come of a look.
type Outcome = Result<Arc<dyn Any + Send + Sync>, Arc<Error>>;
type Told = watch::Receiver<Option<Outcome>>;

/// With whom a look takes turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// With all that keeps a processor busy, if somebody waits for that.
    Usual,
    /// With scrapes and overviews only.
    Prompt,
}

/// A look that was asked for and has not begun.
struct Open {
    round: u64,
    /// The name of the source, and what is made of its tasks.
    what: (&'static str, TypeId),
    options: DumpOptions,
    told: Told,
}

static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());

fn open() -> MutexGuard<'static, Vec<Open>> {
    // Entries are added and removed as a whole.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a round that its thread has. Dropped without an outcome, it tells those who wait that there will be none.
struct Round {
    number: u64,
    tell: watch::Sender<Option<Outcome>>,
}

impl Round {
    /// Nobody joins any more.
    fn close(&self) {
        open().retain(|open| open.round != self.number);
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.close();
    }
}

/// What `make` makes of the tasks of a source, looked at after this call, on a thread of this name. Of one source, what is made of the same type is the same.
///
/// # Errors
///
/// Those of `make`, and if the thread could not be started, or panicked.
///
/// # Cancel safety
///
/// A look that nobody waits for when it is its turn is not taken.
pub(super) async fn look<T: Send + Sync + 'static>(
    thread: &str,
    source: &'static str,
    line: Line,
    options: DumpOptions,
    make: impl FnOnce(DumpOptions) -> Result<T, Error> + Send + 'static,
) -> Result<Arc<T>, Error> {
    let panicked = || {
        Error::sampler(format!(
            "the thread {thread} panicked; its message is on standard error"
        ))
    };
    let mut told = join(thread, source, line, options, make)?;
    let outcome = told.wait_for(Option::is_some).await;
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
    options: DumpOptions,
    make: impl FnOnce(DumpOptions) -> Result<T, Error> + Send + 'static,
) -> Result<Told, Error> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let what = (source, TypeId::of::<T>());
    let mut rounds = open();
    let same = rounds
        .iter()
        .find(|open| open.what == what && open.options == options);
    if let Some(same) = same {
        return Ok(same.told.clone());
    }
    let (tell, told) = watch::channel(None);
    let round = Round {
        number: NUMBER.fetch_add(1, Ordering::Relaxed),
        tell,
    };
    rounds.push(Open {
        round: round.number,
        what,
        options: options.clone(),
        told: told.clone(),
    });
    drop(rounds);
    crate::thread::spawn(thread, move || run(&round, line, || make(options)))
        .map_err(|e| crate::thread::not_started(thread, e))?;
    Ok(told)
}

fn run<T: Send + Sync + 'static>(
    round: &Round,
    line: Line,
    make: impl FnOnce() -> Result<T, Error>,
) {
    let _turn = match line {
        Line::Usual => CpuPermit::take_in_line(),
        Line::Prompt => Some(CpuPermit::take_promptly()),
    };
    round.close();
    if !round.tell.is_closed() {
        let outcome: Outcome = match make() {
            Ok(made) => Ok(Arc::new(made)),
            Err(error) => Err(Arc::new(error)),
        };
        round.tell.send_replace(Some(outcome));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use taskscope::{Dump, Stacks};

    use super::*;

    fn all(options: DumpOptions) -> Dump {
        options.stacks(Stacks::None).capture_blocking()
    }

    // Through a private door: from outside, a line cannot be held.
    #[tokio::test]
    async fn who_asks_for_the_same_in_line_gets_the_same_and_who_comes_later_or_asks_for_other_tasks_does_not()
     {
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        fn counted(options: DumpOptions) -> Result<Dump, Error> {
            TAKEN.fetch_add(1, Ordering::SeqCst);
            Ok(all(options))
        }
        let ask = |options| tokio::spawn(look("test", "counted", Line::Usual, options, counted));
        let turn = CpuPermit::take();
        let line = thread::spawn(|| drop(CpuPermit::take()));
        while !CpuPermit::is_line() {
            tokio::task::yield_now().await;
        }
        let same = [(); 5].map(|()| ask(DumpOptions::new()));
        let gone = ask(DumpOptions::new().limit(2));
        let other = ask(DumpOptions::new().limit(1));
        // All have joined, or begun a round.
        while open()
            .iter()
            .filter(|open| open.what.0 == "counted")
            .count()
            < 3
        {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        gone.abort();
        assert!(gone.await.is_err());
        assert_eq!(TAKEN.load(Ordering::SeqCst), 0);
        drop(turn);
        let mut dumps = Vec::new();
        for same in same {
            dumps.push(same.await.unwrap().unwrap());
        }
        assert!(dumps.iter().all(|dump| Arc::ptr_eq(dump, &dumps[0])));
        let other = other.await.unwrap().unwrap();
        assert!(!Arc::ptr_eq(&other, &dumps[0]));
        line.join().unwrap();
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
        fn breaks_once(options: DumpOptions) -> Result<Dump, Error> {
            assert_eq!(BROKEN.swap(0, Ordering::SeqCst), 0, "as asked");
            Ok(all(options))
        }
        let ask = || {
            look(
                "test",
                "breaks",
                Line::Usual,
                DumpOptions::new(),
                breaks_once,
            )
        };
        assert!(ask().await.is_err());
        assert!(ask().await.is_ok());
    }
}
