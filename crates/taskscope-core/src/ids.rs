//! Tokio's task ids as numbers.
//!
//! `tokio::task::Id` shows its number only through `Display`, `Debug` and `Hash`. Hashing it into a
//! hasher that keeps what it is given costs nothing; should a future tokio hash it differently, its
//! text is parsed instead.

use std::hash::{Hash, Hasher};

use tokio::task::Id;

#[derive(Default)]
struct Keep(Option<u64>);

impl Hasher for Keep {
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, number: u64) {
        self.0 = Some(number);
    }
    fn finish(&self) -> u64 {
        self.0.unwrap_or(0)
    }
}

/// The number that `Display` prints.
pub fn number(id: Id) -> u64 {
    let mut keep = Keep::default();
    id.hash(&mut keep);
    keep.0.or_else(|| id.to_string().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_number_is_the_one_that_tokio_prints() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let id =
            runtime.block_on(async { tokio::spawn(async { tokio::task::id() }).await.unwrap() });
        assert_eq!(super::number(id).to_string(), id.to_string());
    }
}
