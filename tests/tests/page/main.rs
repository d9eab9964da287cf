//! The page of `taskprof::router`, in a real browser.
//!
//! All tests of this binary see the same process, and so the same tasks: they take turns
//! (`stage.rs`). Every one of them also fails if a page complains on the console, asks another host
//! or opens a dialog (`taskscope_tests::browser`).

// Nothing here depends on that flag, and once is enough of what takes minutes.
#![cfg(not(tokio_unstable))]

mod blocked;
mod capture;
mod crowd;
mod hostile;
mod keyboard;
mod live;
mod navigation;
mod plain;
mod readable;
mod small;
mod stage;
mod tabs;
