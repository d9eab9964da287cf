//! One dump for all who ask for the same tasks before it begins.
//!
//! Where askers are in line (`turn.rs`), those who want the same need not wait for each other: what is taken when it is the first one's turn is younger than every one of their
//! questions. Who asks alone has a dump of its own.
//! Not here: how a dump is taken, what is made of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskscope::{Dump, DumpOptions};
use tokio::sync::watch;

use crate::error::Error;
use crate::our_thread;
use crate::turn::Turn;

/// How a dump is taken.
pub(super) type Take = fn(DumpOptions) -> Dump;

type Told = watch::Receiver<Option<Arc<Dump>>>;

/// A dump that was asked for and has not begun.
struct Open {
    round: u64,
    take: Take,
    options: DumpOptions,
    told: Told,
}

static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());

fn open() -> MutexGuard<'static, Vec<Open>> {
    // Entries are added and removed as a whole.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a round that its thread has. Dropped without a dump, it tells those who wait that there will be none.
struct Round {
    number: u64,
    tell: watch::Sender<Option<Arc<Dump>>>,
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

/// A dump that is taken after this call, on a thread of this name.
///
/// # Errors
///
/// If the thread could not be started, or panicked.
///
/// # Cancel safety
///
/// A dump that nobody waits for when it is its turn is not taken.
pub(super) async fn dump(
    thread: &str,
    take: Take,
    options: DumpOptions,
) -> Result<Arc<Dump>, Error> {
    let mut told = join(thread, take, options)?;
    let dump = told.wait_for(Option::is_some).await;
    let dump = dump.ok().and_then(|dump| dump.clone());
    dump.ok_or_else(|| {
        Error::sampler(format!(
            "the thread {thread} panicked; its message is on standard error"
        ))
    })
}

fn join(thread: &str, take: Take, options: DumpOptions) -> Result<Told, Error> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut rounds = open();
    let same = rounds
        .iter()
        .find(|open| std::ptr::fn_addr_eq(open.take, take) && open.options == options);
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
        take,
        options: options.clone(),
        told: told.clone(),
    });
    drop(rounds);
    our_thread::start(thread, move || run(&round, take, options))
        .map_err(|e| our_thread::not_started(thread, e))?;
    Ok(told)
}

fn run(round: &Round, take: Take, options: DumpOptions) {
    let _turn = Turn::take_in_line();
    round.close();
    if !round.tell.is_closed() {
        round.tell.send_replace(Some(Arc::new(take(options))));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use taskscope::Stacks;

    use super::*;

    fn all(options: DumpOptions) -> Dump {
        options.stacks(Stacks::None).capture_blocking()
    }

    // Through a private door: from outside, a line cannot be held.
    #[tokio::test]
    async fn who_asks_for_the_same_in_line_gets_the_same_and_who_comes_later_or_asks_for_other_tasks_does_not()
     {
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        fn counted(options: DumpOptions) -> Dump {
            TAKEN.fetch_add(1, Ordering::SeqCst);
            all(options)
        }
        let ask = |options| tokio::spawn(dump("test", counted, options));
        let turn = Turn::take();
        let line = thread::spawn(|| drop(Turn::take()));
        while !Turn::is_line() {
            tokio::task::yield_now().await;
        }
        let same = [(); 5].map(|()| ask(DumpOptions::new()));
        let gone = ask(DumpOptions::new().limit(2));
        let other = ask(DumpOptions::new().limit(1));
        // All have joined, or begun a round.
        while open()
            .iter()
            .filter(|open| std::ptr::fn_addr_eq(open.take, counted as Take))
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
        fn breaks_once(options: DumpOptions) -> Dump {
            assert_eq!(BROKEN.swap(0, Ordering::SeqCst), 0, "as asked");
            all(options)
        }
        assert!(dump("test", breaks_once, DumpOptions::new()).await.is_err());
        assert!(dump("test", breaks_once, DumpOptions::new()).await.is_ok());
    }
}
