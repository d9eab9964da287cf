//! The thread that reads debug information. It starts with the first lookup and ends when no lookup
//! has come for [`IDLE`].
//!
//! The index of a program's debug information is as large as that information itself. One thread
//! makes it, uses it and frees it. Since all of it is allocated by one thread, no other allocation
//! lies between its pieces, and the memory can be given back to the system ([`release_memory`]).
//! The caller copies the answers ([`crate::symbol`]), so that they do not lie there either.
//!
//! # Invariant
//!
//! [`READER`] has a sender exactly as long as there is a thread that will receive: messages are
//! sent under its lock, and the thread removes the sender under the same lock, after it has seen
//! that nothing was sent. A forked child has no such thread; the process id tells.
//!
//! Not here: what is read ([`super::elf`]).

use std::collections::HashMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use super::elf::Opened;
use super::{Lookup, RawSymbol, release_memory};
use crate::loaded::Image;
use crate::sync::Mutex;

/// The thread's name; Linux has room for 15 bytes.
const NAME: &str = "callstack-names";
/// The thread ends after this long without a lookup. By then a profile has been written, and the
/// next one finds most of its names cached.
const IDLE: Duration = Duration::from_secs(2);
/// The most files that are open at a time, so that a program that loads and unloads libraries all
/// the time does not fill the memory.
const MAX_OPEN: usize = 32;

enum Message {
    LookUp {
        image: Arc<Image>,
        address: u64,
        reply: SyncSender<Lookup>,
    },
    /// Closes all files, then drops the sender, which the caller waits for.
    Release(SyncSender<()>),
}

struct Reader {
    process: u32,
    messages: Sender<Message>,
}

static READER: Mutex<Option<Reader>> = Mutex::new(None);

/// The symbols at an address in the file of the image.
pub(super) fn look_up(image: &Arc<Image>, address: u64) -> Lookup {
    if image.has_nothing_to_read.load(Ordering::Relaxed) {
        return Lookup::Symbols(Vec::new());
    }
    let (reply, answer) = sync_channel(1);
    let message = Message::LookUp {
        image: Arc::clone(image),
        address,
        reply,
    };
    if send(message) {
        // The thread answers as long as it lives.
        return answer.recv().unwrap_or(Lookup::Unreadable);
    }
    // No thread can be started: look up here, which is slow and right.
    Files::default().look_up(image, address)
}

/// Closes all files, and waits until that is done.
pub(crate) fn release() {
    let mut reader = READER.lock();
    let Some(running) = current(&mut reader) else {
        return;
    };
    let (done, gone) = sync_channel(1);
    let sent = running.messages.send(Message::Release(done)).is_ok();
    drop(reader);
    if sent {
        let _ = gone.recv();
    }
}

/// Sends a message, and starts the thread if needed. False if none can be started.
fn send(message: Message) -> bool {
    let mut reader = READER.lock();
    if current(&mut reader).is_none() {
        *reader = start();
    }
    reader
        .as_ref()
        .is_some_and(|reader| reader.messages.send(message).is_ok())
}

/// The reader, if it belongs to this process and not to the parent of a fork.
fn current(reader: &mut Option<Reader>) -> Option<&Reader> {
    if let Some(forked) = reader.take_if(|reader| reader.process != std::process::id()) {
        // Its thread is in the parent, perhaps in the middle of something.
        mem::forget(forked);
    }
    reader.as_ref()
}

fn start() -> Option<Reader> {
    let (messages, received) = channel();
    let started = thread::Builder::new()
        .name(NAME.into())
        .spawn(move || run(&received));
    started.is_ok().then(|| Reader {
        process: std::process::id(),
        messages,
    })
}

fn run(received: &Receiver<Message>) {
    let mut files = Files::default();
    loop {
        let message = match received.recv_timeout(IDLE) {
            Ok(message) => message,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                // Files first: when the thread is no longer registered, its memory has been given
                // back.
                files.close();
                let mut reader = READER.lock();
                match received.try_recv() {
                    Ok(message) => message,
                    Err(_) => {
                        *reader = None;
                        return;
                    }
                }
            }
        };
        match message {
            Message::LookUp {
                image,
                address,
                reply,
            } => {
                let found = files.look_up(&image, address);
                // Dropped before the caller goes on, which may unload the image.
                drop(image);
                let _ = reply.send(found);
            }
            Message::Release(done) => {
                files.close();
                drop(done);
            }
        }
    }
}

/// The open files, by image.
#[derive(Default)]
struct Files(HashMap<*const Image, (Arc<Image>, Opened)>);

impl Files {
    /// Closes all files, and gives their memory back to the system.
    fn close(&mut self) {
        if !self.0.is_empty() {
            self.0 = HashMap::new();
            release_memory::release_freed_memory();
        }
    }

    fn look_up(&mut self, image: &Arc<Image>, address: u64) -> Lookup {
        // A panic over damaged debug information costs the names of this image, not the program.
        let looked = catch_unwind(AssertUnwindSafe(|| self.try_look_up(image, address)));
        looked.unwrap_or_else(|_| {
            self.0.remove(&Arc::as_ptr(image));
            Lookup::Symbols(Vec::new())
        })
    }

    fn try_look_up(&mut self, image: &Arc<Image>, address: u64) -> Lookup {
        let key = Arc::as_ptr(image);
        if let Some((_, opened)) = self.0.get_mut(&key) {
            return Lookup::Symbols(opened.symbols(address));
        }
        match Opened::open(image) {
            Ok(Some(mut opened)) => {
                let symbols: Vec<RawSymbol> = opened.symbols(address);
                if self.0.len() >= MAX_OPEN {
                    self.0.clear();
                }
                self.0.insert(key, (Arc::clone(image), opened));
                Lookup::Symbols(symbols)
            }
            Ok(None) => {
                image.has_nothing_to_read.store(true, Ordering::Relaxed);
                Lookup::Symbols(Vec::new())
            }
            Err(_) => Lookup::Unreadable,
        }
    }
}
