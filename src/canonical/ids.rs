//! Names that are made rather than found, the same again whenever they are made again.
//!
//! A conversation comes back with the names that were given in it, and may come back to another process. So a name that is
//! made up is a digest of what it stands for, and one that has to be changed for a provider's sake is changed the same way
//! in the call and in its result.

use ring::digest::{SHA256, digest};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `length` letters and digits, at most 32, that stand for `text`.
pub fn digest_of(text: &str, length: usize) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().take(length).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

/// The name of the call at `index` in the answer that is called `answer`, for an upstream that names none.
pub fn call_id(answer: &str, index: usize) -> String {
    format!("call_{}", digest_of(&format!("{answer}/{index}"), 24))
}

/// `id` itself if it is `fit`, else one of letters and digits that stands for it, with `prefix` before it and `length` long.
pub fn fit(id: &str, prefix: &str, length: usize, is_fit: impl Fn(&str) -> bool) -> String {
    if is_fit(id) { id.to_owned() } else { format!("{prefix}{}", digest_of(id, length)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_name_is_made_the_same_again() {
        assert_eq!(call_id("a", 0), call_id("a", 0));
        assert_ne!(call_id("a", 0), call_id("a", 1));
        assert_eq!(call_id("a", 0).len(), 29);
        assert_eq!(fit("toolu_1", "", 9, |id| id.len() == 9).len(), 9);
        assert_eq!(fit("abcdefgh1", "", 9, |id| id.len() == 9), "abcdefgh1");
    }
}
