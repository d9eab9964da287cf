//! How often tests repeat what they repeat.

/// So often; a hundredth of that, and at least three times, under Miri, which is hundreds of times
/// slower.
pub(crate) const fn times(usual: usize) -> usize {
    match usual / 100 {
        _ if !cfg!(miri) => usual,
        0..=2 => 3,
        fewer => fewer,
    }
}
