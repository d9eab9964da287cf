//! One operation: a check of leakcheck where nothing is left, as at the end of every clean test.
//! For all variants that have none: an await of nothing.

use std::time::Instant;

use super::Load;
use crate::variants::Variant;

pub(crate) async fn clean_check<V: Variant>(load: Load) {
    for _ in 0..load.operations {
        V::check().await;
    }
}

/// Nanoseconds of the first one, which is all that a process with one test has.
pub(crate) async fn first_check<V: Variant>() -> f64 {
    let began = Instant::now();
    V::check().await;
    began.elapsed().as_nanos() as f64
}
