//! Cutting machinery off a stack, and counting equal stacks.
//!
//! The caller decides what counts as machinery: no function name is known here.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::Stack;

/// Drops entries from the leaf side for as long as they are machinery.
///
/// If all entries are, all are kept: such a stack is more useful than none.
///
/// # Examples
///
/// ```
/// assert_eq!(callstack::trim_leaf(&[1, 1, 2, 1], |n| *n == 1), [2, 1]);
/// assert_eq!(callstack::trim_leaf(&[1, 1], |n| *n == 1), [1, 1]);
/// ```
pub fn trim_leaf<T>(entries: &[T], mut is_machinery: impl FnMut(&T) -> bool) -> &[T] {
    match entries.iter().position(|entry| !is_machinery(entry)) {
        Some(first) => &entries[first..],
        None => entries,
    }
}

/// Drops the first entry that is a root, and everything on its root side.
///
/// If nothing would be left, everything is kept.
///
/// # Examples
///
/// ```
/// assert_eq!(callstack::trim_root(&[1, 2, 9, 3, 9], |n| *n == 9), [1, 2]);
/// assert_eq!(callstack::trim_root(&[9, 3], |n| *n == 9), [9, 3]);
/// ```
pub fn trim_root<T>(entries: &[T], is_root: impl FnMut(&T) -> bool) -> &[T] {
    match entries.iter().position(is_root) {
        Some(root) if root > 0 => &entries[..root],
        _ => entries,
    }
}

/// [`trim_leaf`], then [`trim_root`] on the rest.
///
/// Never empty if `entries` is not: if the two together would leave nothing, nothing is trimmed.
///
/// # Examples
///
/// ```
/// let trimmed = callstack::trim(&[1, 1, 2, 9, 1], |n| *n == 1, |n| *n == 9);
/// assert_eq!(trimmed, [2]);
/// assert_eq!(callstack::trim(&[1, 9, 3], |n| *n == 1, |n| *n == 9), [1, 9, 3]);
/// ```
pub fn trim<T>(
    entries: &[T],
    is_machinery: impl FnMut(&T) -> bool,
    mut is_root: impl FnMut(&T) -> bool,
) -> &[T] {
    let without_leaf = trim_leaf(entries, is_machinery);
    match without_leaf.first() {
        Some(first) if is_root(first) => entries,
        _ => trim_root(without_leaf, is_root),
    }
}

/// Stacks with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group<K> {
    /// The key.
    pub key: K,
    /// How many stacks have it.
    pub count: usize,
    /// The first of them.
    pub stack: Arc<Stack>,
}

/// Counts stacks by key: the largest group first, equally large ones in the order in which they
/// first appeared.
///
/// # Examples
///
/// ```
/// use callstack::Stack;
///
/// let [a, b] = [Stack::intern(&[0x10]), Stack::intern(&[0x20])];
/// let groups = callstack::group([&a, &b, &b].map(|stack| (stack.id(), stack.clone())));
/// assert_eq!(groups[0].stack, b);
/// assert_eq!((groups[0].count, groups[1].count), (2, 1));
/// ```
pub fn group<K: Eq + Hash + Clone>(
    stacks: impl IntoIterator<Item = (K, Arc<Stack>)>,
) -> Vec<Group<K>> {
    let mut groups: Vec<Group<K>> = Vec::new();
    let mut positions = HashMap::new();
    for (key, stack) in stacks {
        let position = *positions.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(position) {
            Some(group) => group.count += 1,
            None => groups.push(Group {
                key,
                count: 1,
                stack,
            }),
        }
    }
    // A stable sort keeps equally large groups in order.
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}
