//! One operation: a task is spawned, does nothing, and is joined. The worst case for whatever is
//! done once for each task.

use super::Load;
use crate::variants::Variant;

/// Tasks that each driver has alive at once.
pub(crate) const BATCH: u64 = 1000;

pub(crate) async fn spawn<V: Variant>(load: Load) {
    let drivers: Vec<_> = (0..load.drivers)
        .map(|_| V::spawn(driver::<V>(load.of_each())))
        .collect();
    for driver in drivers {
        driver.await.expect("a driver ends well");
    }
}

/// A task as well, because a task that spawns takes another path through the runtime than
/// `block_on` does.
async fn driver<V: Variant>(operations: u64) {
    let mut batch = Vec::with_capacity(BATCH as usize);
    for _ in 0..operations / BATCH {
        batch.extend((0..BATCH).map(|_| V::spawn(V::leaf(async {}))));
        for task in batch.drain(..) {
            task.await.expect("a task ends well");
        }
    }
}
