//! How often tests repeat what they repeat.

/// The number of repetitions: the usual one; under Miri, which is hundreds of times slower, a
/// hundredth of it, and at least three.
pub(crate) const fn times(usual: usize) -> usize {
    match usual / 100 {
        _ if !cfg!(miri) => usual,
        0..=2 => 3,
        fewer => fewer,
    }
}
