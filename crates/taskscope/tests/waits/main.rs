//! Every leaf that people wait on is named, through the real type and with the user's own async
//! function in the trace.
#![cfg(feature = "enable")]

mod pool;
mod row;

mod asynchronous;
mod combinators;
mod futures;
mod io;
mod net;
mod other;
mod sync;
mod task;
mod time;
mod util;
