//! Request ids: taken from the client if they are harmless, made up otherwise.
//!
//! An id is a label for humans and a header value. It is never a name.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

/// The longest request id that is taken from a client: 128 characters. A UUID has 36.
pub const MAX_REQUEST_ID: usize = 128;

/// The client's id, if it is one to [`MAX_REQUEST_ID`] characters of visible ASCII.
pub(super) fn accept(value: &HeaderValue) -> Option<&str> {
    let legal = (1..=MAX_REQUEST_ID).contains(&value.len())
        && value.as_bytes().iter().all(u8::is_ascii_graphic);
    legal.then(|| value.to_str().ok()).flatten()
}

/// An id that no other request of this process has, and with all likelihood none of another one. No
/// system call, no lock.
///
/// Sixteen digits that are hashed from the count with keys of this process, and the count itself:
/// who sees one id cannot tell the next.
pub(super) fn make_up() -> String {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static MADE: AtomicU64 = AtomicU64::new(0);
    let count = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}-{count:x}", KEYS.hash_one(count))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn only_short_visible_ascii_is_accepted() {
        let longest = "x".repeat(MAX_REQUEST_ID);
        for (value, accepted) in [
            ("7f3a-11", true),
            ("~!@{}[]", true),
            (&longest, true),
            ("", false),
            ("two words", false),
            ("tab\there", false),
            ("na\u{ef}ve", false),
            (&format!("{longest}x"), false),
        ] {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            assert_eq!(accept(&value).is_some(), accepted, "{value:?}");
        }
    }

    #[test]
    fn ids_that_are_made_up_are_all_different_and_would_be_accepted() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..1000).map(|_| make_up()).collect::<Vec<_>>()))
            .collect();
        let ids: Vec<String> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 4000);
        let value = HeaderValue::try_from(&ids[0]).unwrap();
        assert_eq!(accept(&value), Some(ids[0].as_str()));
    }
}
