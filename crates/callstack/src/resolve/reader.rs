//! The thread that reads debug information, for as long as somebody asks.
//!
//! The index of a program's debug information takes memory like that information itself. It is made and used by one
//! thread, which lets go of it and ends when nobody has asked for [`IDLE`]. Since all of it belongs to one thread, nothing
//! else is left between its pieces, and the memory can be given back ([`release_memory`]). Answers are copied by whoever asked
//! ([`crate::symbol`]), so that they are not what is left.
//!
//! # Invariant
//!
//! [`READER`] has a sender exactly as long as there is a thread that will receive: messages are sent under its lock, and
//! the thread takes the sender away under it, after it has seen that nothing was sent. A forked child has no such thread;
//! the process number tells.
//!
//! Not here: what is read ([`super::elf`]).

use std::collections::HashMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::elf::Opened;
use super::{Lookup, RawSymbol, release_memory};
use crate::loaded::Image;
use crate::sync::Mutex;

/// The thread's name; Linux has room for 15 bytes.
const NAME: &str = "callstack-names";
/// Nobody has asked for so long: an answer of a profiler has been made, and the next one mostly finds its names known.
const IDLE: Duration = Duration::from_secs(2);
/// So many files are open at the most. Programs that load and unload all the time must not fill the memory.
const MOST_OPEN: usize = 32;

enum Message {
    LookUp {
        image: Arc<Image>,
        address: u64,
        reply: SyncSender<Lookup>,
    },
    /// Whoever asks waits until the other end is dropped.
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
        // It answers as long as it lives.
        return answer.recv().unwrap_or(Lookup::Unreadable);
    }
    // There is no thread to be had: slow, and right.
    Files::default().look_up(image, address)
}

/// Lets go of everything that is open, and waits until it is gone.
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

/// False if there is no thread, and none to be had.
fn send(message: Message) -> bool {
    let mut reader = READER.lock();
    if current(&mut reader).is_none() {
        *reader = start();
    }
    reader
        .as_ref()
        .is_some_and(|reader| reader.messages.send(message).is_ok())
}

/// The reader, if it is one of this process.
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
                // Before the thread is no longer said to be there: who waits for that sees the memory gone.
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
                // The image may go before whoever asked goes on.
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
    /// Closes them all, and gives the memory back that they took.
    fn close(&mut self) {
        if !self.0.is_empty() {
            self.0 = HashMap::new();
            release_memory::release_freed_memory();
        }
    }

    fn look_up(&mut self, image: &Arc<Image>, address: u64) -> Lookup {
        // Debug information that is damaged in a way that nobody has thought of costs its names, not the program.
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
                if self.0.len() >= MOST_OPEN {
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
