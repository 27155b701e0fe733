//! What a failure says of whom to ask next, and when.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, StatusCode};

use super::dice;
use crate::config::failure::Retry;
use crate::dialect::UpstreamError;
use crate::error::{Complaint, Error, Origin, Phase};

/// OpenAI's, and finer than `retry-after`.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// What OpenAI and Anthropic tell their own SDKs.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// What a failed attempt says of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the request that is wrong, or there is no time left: nobody else is asked.
    Final,
    /// The key was refused. Another key of the provider may be taken.
    KeyRefused,
    /// Nobody pays for the key any more. Another key may be paid for, and another target.
    KeySpent,
    /// The key has asked for too much for now.
    Limited,
    /// The request met another: nobody's failure.
    Conflict,
    /// The target did nothing of what it was asked.
    Undone,
    /// The target failed and may have done what it was asked.
    Unsure,
}

impl Verdict {
    /// Whether it was the target that failed, rather than a request, a key or a client.
    pub(super) fn blames_the_target(self) -> bool {
        matches!(self, Self::Limited | Self::Undone | Self::Unsure)
    }
}

/// The verdict on `error`.
///
/// | what happened | verdict | the same target again | another key | another target | counts against its health |
/// |---|---|---|---|---|---|
/// | 400, 404, 413, 422 and other 4xx; the time for the whole stream is up | `Final` | no | no | no | no |
/// | 401, 403 | `KeyRefused` | no | yes | no | the key rests |
/// | 402; `insufficient_quota`, an enforced spend limit, … | `KeySpent` | no | yes | yes | the key rests |
/// | 429 | `Limited` | after a wait | yes | yes | yes |
/// | 409, 425 | `Conflict` | after a wait | no | yes | no |
/// | 408, 5xx, 529, an error as the first event; no connection (refused, DNS, TLS, `connect_timeout`) | `Undone` | after a wait | no | yes | yes |
/// | the connection broke behind the request; `headers_timeout`, `response_timeout`, `first_token_timeout`, `idle_timeout`; a stream or answer that is cut, empty, too large or something else | `Unsure` | if `retry.after_sent` | no | yes | yes |
///
/// All of this holds until the first content is in hand. A target that may have answered `Unsure`ly may have cost something,
/// but nothing of it was seen: asking another is what several targets are for. Asking the same again is not.
pub(super) fn verdict(error: &Error) -> Verdict {
    if error.origin() != Origin::Upstream {
        return Verdict::Final;
    }
    match error {
        Error::UpstreamStatus { .. } | Error::UpstreamReported { .. } if is_spent(error) => Verdict::KeySpent,
        Error::UpstreamStatus { .. } | Error::UpstreamReported { .. } => of_status(error.status()),
        Error::UpstreamConnect { .. } | Error::UpstreamTimeout { phase: Phase::Connect, .. } => Verdict::Undone,
        Error::UpstreamTimeout { phase: Phase::Total, .. } => Verdict::Final,
        _ => Verdict::Unsure,
    }
}

fn of_status(status: StatusCode) -> Verdict {
    match status.as_u16() {
        401 | 403 => Verdict::KeyRefused,
        402 => Verdict::KeySpent,
        409 | 425 => Verdict::Conflict,
        429 => Verdict::Limited,
        408 | 500.. => Verdict::Undone,
        _ => Verdict::Final,
    }
}

/// Whether an upstream says that nobody pays for the key. Only where it is not a bad request anyway: those words count for more
/// than the status, which is that of a rate limit for some.
fn is_spent(error: &Error) -> bool {
    let status = error.status().as_u16();
    let known = match error {
        Error::UpstreamStatus { body: Some(body), .. } => UpstreamError::parse(body),
        Error::UpstreamReported { message, r#type, code, .. } => {
            let (message, r#type, code) = (message.clone(), r#type.clone(), code.clone());
            Some(UpstreamError { message, r#type, code, ..UpstreamError::default() })
        }
        _ => None,
    };
    known.is_some_and(|known| known.complaint(status) == Complaint::Billing)
}

/// How long the upstream wants to be left alone: `retry-after-ms`, or `retry-after` as seconds or as a date. What Google writes
/// into the body of an error stands in `retry-after`, too, by now. An error in a stream has no header, and says it itself.
pub(super) fn rest(error: &Error, now: SystemTime) -> Option<Duration> {
    let headers = match error {
        Error::UpstreamStatus { headers, .. } => headers,
        Error::UpstreamReported { retry_after, .. } => return *retry_after,
        _ => return None,
    };
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = text(RETRY_AFTER_MS).and_then(|text| text.parse::<f64>().ok()).map(|millis| millis / 1e3);
    let seconds = millis.or_else(|| text(RETRY_AFTER)?.parse().ok());
    match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => Some(httpdate::parse_http_date(text(RETRY_AFTER)?).ok()?.duration_since(now).unwrap_or_default()),
    }
}

/// A time as `retry-after` has it, rather too long than too short.
pub fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// How long to wait before a target is asked again that has been asked `times` times; `None` if it is not to be.
pub(super) fn wait(error: &Error, verdict: Verdict, times: u32, retry: &Retry) -> Option<Duration> {
    let is_unsure = verdict == Verdict::Unsure;
    match verdict {
        Verdict::Limited | Verdict::Conflict | Verdict::Undone => {}
        Verdict::Unsure if retry.after_sent => {}
        _ => return None,
    }
    if let Error::UpstreamStatus { headers, .. } = error
        && !is_unsure
        && says_no(headers)
    {
        return None;
    }
    match rest(error, SystemTime::now()) {
        Some(rest) => (rest <= retry.max_backoff).then_some(rest),
        None => {
            let doubled = retry.backoff.saturating_mul(1 << times.saturating_sub(1).min(16));
            Some(dice::jittered(doubled.min(retry.max_backoff)))
        }
    }
}

fn says_no(headers: &HeaderMap) -> bool {
    headers.get(SHOULD_RETRY).is_some_and(|value| value == "false")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn status(status: u16, fields: &[(&'static str, &str)], body: &'static str) -> Error {
        let field = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        Error::UpstreamStatus {
            provider: "p".to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: Box::new(fields.iter().map(field).collect()),
            body: (!body.is_empty()).then(|| body.into()),
            complaint: None,
            message: String::new(),
        }
    }

    #[test]
    fn every_class_of_failure_has_its_verdict() {
        for (number, expected) in [
            (400, Verdict::Final),
            (401, Verdict::KeyRefused),
            (402, Verdict::KeySpent),
            (403, Verdict::KeyRefused),
            (404, Verdict::Final),
            (408, Verdict::Undone),
            (409, Verdict::Conflict),
            (413, Verdict::Final),
            (422, Verdict::Final),
            (425, Verdict::Conflict),
            (429, Verdict::Limited),
            (500, Verdict::Undone),
            (503, Verdict::Undone),
            (529, Verdict::Undone),
        ] {
            assert_eq!(verdict(&status(number, &[], "")), expected, "{number}");
        }
        let spent = r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        let limit = r#"{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
        assert_eq!(verdict(&status(429, &[], spent)), Verdict::KeySpent);
        assert_eq!(verdict(&status(429, &[], limit)), Verdict::KeySpent);
        let provider = || "p".to_owned();
        let timeout = |phase| Error::UpstreamTimeout { provider: provider(), phase, limit: Duration::from_secs(1) };
        assert_eq!(verdict(&timeout(Phase::Connect)), Verdict::Undone);
        assert_eq!(verdict(&timeout(Phase::Headers)), Verdict::Unsure);
        assert_eq!(verdict(&timeout(Phase::Total)), Verdict::Final);
        assert_eq!(verdict(&Error::UpstreamTruncated { provider: provider() }), Verdict::Unsure);
    }

    #[test]
    fn every_form_of_retry_after_is_understood() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let date = httpdate::fmt_http_date(now + Duration::from_secs(7));
        let past = httpdate::fmt_http_date(now - Duration::from_secs(7));
        for (fields, expected) in [
            (vec![("retry-after", "3")], Some(3000)),
            (vec![("retry-after", "0.5")], Some(500)),
            (vec![("retry-after", date.as_str())], Some(7000)),
            (vec![("retry-after", past.as_str())], Some(0)),
            (vec![("retry-after-ms", "250"), ("retry-after", "1")], Some(250)),
            (vec![("retry-after", "soon")], None),
            (vec![("retry-after", "-1")], None),
            (vec![], None),
        ] {
            let rest = rest(&status(429, &fields, ""), now);
            assert_eq!(rest, expected.map(Duration::from_millis), "{fields:?}");
        }
    }

    #[test]
    fn waits_double_up_to_a_bound_and_what_would_take_longer_is_not_waited_for() {
        let retry = Retry { backoff: Duration::from_millis(100), ..Config::for_testing().retry };
        let wait = |error: &Error, times| wait(error, verdict(error), times, &retry);
        for (times, at_most) in [(1, 100), (2, 200), (3, 400), (30, 2000)] {
            let waited = wait(&status(500, &[], ""), times).unwrap().as_millis();
            assert!((at_most / 2..=at_most).contains(&waited), "{waited} of {at_most}");
        }
        assert_eq!(wait(&status(429, &[("retry-after", "1")], ""), 1), Some(Duration::from_secs(1)));
        assert_eq!(wait(&status(429, &[("retry-after", "9")], ""), 1), None);
        assert_eq!(wait(&status(503, &[("x-should-retry", "false")], ""), 1), None);
        assert_eq!(wait(&Error::UpstreamTruncated { provider: String::new() }, 1), None);
    }
}
