//! What is left of an upstream's limits, in the words of another dialect.
//!
//! OpenAI and Anthropic tell the same six numbers under other names, and the time of renewal one as a duration and the other
//! as a date.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::dialect::RateLimits;

/// Tells the limits that `upstream` tells in the words of `from` in those of `to`.
pub(super) fn translate(
    upstream: &HeaderMap,
    from: Option<RateLimits>,
    to: Option<RateLimits>,
    headers: &mut HeaderMap,
) {
    let (Some(from), Some(to)) = (from, to) else { return };
    for subject in ["requests", "tokens"] {
        for figure in ["limit", "remaining", "reset"] {
            let value = upstream.get(field(from, subject, figure)).and_then(|value| value.to_str().ok());
            let told = match figure {
                "reset" => value.and_then(|value| tell_reset(value, from, to)),
                _ => value.map(str::to_owned),
            };
            let told = told.and_then(|told| HeaderValue::from_str(&told).ok());
            if let (Some(told), Ok(name)) = (told, HeaderName::try_from(field(to, subject, figure))) {
                headers.insert(name, told);
            }
        }
    }
}

fn field(dialect: RateLimits, subject: &str, figure: &str) -> String {
    match dialect {
        RateLimits::OpenAi => format!("x-ratelimit-{figure}-{subject}"),
        RateLimits::Anthropic => format!("anthropic-ratelimit-{subject}-{figure}"),
    }
}

/// OpenAI says `6m0s` or `120ms`, and some of its speakers plain seconds; Anthropic says when, after RFC 3339.
fn tell_reset(value: &str, from: RateLimits, to: RateLimits) -> Option<String> {
    if from == to {
        return Some(value.to_owned());
    }
    match to {
        RateLimits::Anthropic => {
            let wait = humantime::parse_duration(value)
                .ok()
                .or_else(|| Duration::try_from_secs_f64(value.parse().ok()?).ok())?;
            Some(humantime::format_rfc3339_seconds(SystemTime::now().checked_add(wait)?).to_string())
        }
        RateLimits::OpenAi => {
            let wait = humantime::parse_rfc3339(value).ok()?.duration_since(SystemTime::now()).unwrap_or_default();
            Some(format!("{}s", wait.as_secs()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_one_dialect_are_told_in_the_other() {
        let upstream: HeaderMap = [
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-tokens", "29990"),
            ("x-ratelimit-reset-requests", "6m0s"),
            ("x-ratelimit-reset-tokens", "1.5"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        let mut told = HeaderMap::new();
        translate(&upstream, Some(RateLimits::OpenAi), Some(RateLimits::Anthropic), &mut told);
        assert_eq!(told["anthropic-ratelimit-requests-limit"], "500");
        assert_eq!(told["anthropic-ratelimit-tokens-remaining"], "29990");
        let mut back = HeaderMap::new();
        translate(&told, Some(RateLimits::Anthropic), Some(RateLimits::OpenAi), &mut back);
        let seconds: u64 = back["x-ratelimit-reset-requests"].to_str().unwrap().trim_end_matches('s').parse().unwrap();
        assert!((350..=360).contains(&seconds), "{seconds}");
        assert_eq!(back["x-ratelimit-remaining-tokens"], "29990");
    }
}
