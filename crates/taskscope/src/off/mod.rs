//! What stands in for the parts that observe, when the feature `enable` is off.
//!
//! Each file here takes the place of the module of the same name, by a `path` attribute where that is declared (lib.rs, `dump`, `scope`, `spawn`,
//! `watchdog`), and has what the rest of the crate asks of it: the same functions, with nothing behind them. What only observes and is not asked
//! for has no twin and is left out. Types that both ways share are in files of their own (`runtime/info.rs`, `resources/dump.rs`, `dump/`).
//! To add a public function that observes: give it a twin here, and a line in `tests/disabled/src/api.rs`.

mod stack;

pub use self::stack::Stack;
