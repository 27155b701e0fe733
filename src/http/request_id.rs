//! A name for every request, in logs, responses and requests to upstreams.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;

/// The client's own id if it is harmless in logs and headers, else a new one.
pub(super) fn of(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    match headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(sane) {
        Some(id) => id.to_owned(),
        None => generate(),
    }
}

/// Unique within the process and unlikely to meet another process's. Not a secret.
pub(super) fn generate() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    format!("req_{:016x}", SEED.hash_one(COUNTER.fetch_add(1, Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        let id = |text: &'static str| {
            of(&HeaderMap::from_iter([(
                http::HeaderName::from_static("x-request-id"),
                http::HeaderValue::from_static(text),
            )]))
        };
        assert_eq!(id("run-7.a_B"), "run-7.a_B");
        assert!(id("two words").starts_with("req_"));
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
