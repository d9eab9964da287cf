//! The signature of an order: a hash that is costly to make, as a password's is.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::order::Content;
use crate::problem::Problem;

/// Rounds of hashing: a few hundred microseconds in a release build. A debug build hashes tens of
/// times slower and does less.
const ROUNDS: u32 = if cfg!(debug_assertions) { 100 } else { 3_000 };

/// Hashes an order many times over.
#[inline(never)]
pub(crate) fn sign_order(content: &Content) -> Result<String, Problem> {
    let text = serialise_order(content)?;
    let mut hash = Sha256::digest(&text);
    for _ in 0..ROUNDS {
        hash = stretch_hash(hash.as_ref(), &text);
    }
    let mut hex = String::with_capacity(64);
    for byte in hash {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

/// Whether an order is still what was signed. As costly as signing it.
#[inline(never)]
pub(crate) fn verify_order(content: &Content, signature: &str) -> Result<(), Problem> {
    if sign_order(content)? == signature {
        Ok(())
    } else {
        Err(Problem::internal(
            "the order does not match its signature any more",
        ))
    }
}

#[inline(never)]
fn serialise_order(content: &Content) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(content)
        .map_err(|_| Problem::internal("the order cannot be written as JSON"))
}

#[inline(never)]
fn stretch_hash(hash: &[u8], salt: &[u8]) -> sha2::digest::Output<Sha256> {
    Sha256::new()
        .chain_update(hash)
        .chain_update(salt)
        .finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_was_changed_after_it_was_signed_is_found_out() {
        let mut content = Content {
            id: 1,
            customer: "Ada".to_owned(),
            lines: Vec::new(),
            total_cents: 900,
        };
        let signature = sign_order(&content).unwrap();
        assert!(verify_order(&content, &signature).is_ok());
        content.total_cents = 1;
        assert!(verify_order(&content, &signature).is_err());
    }
}
