//! Judges what an upstream answered: a stream, an answer, or one of the many things that are neither.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;

use super::body::BrokenBody;
use super::retry::whole_seconds;
use super::{Body, Upstream};
use crate::canonical::Usage;
use crate::config::stream::Stream as StreamConfig;
use crate::dialect::{Dialect, UpstreamError};
use crate::error::{Complaint, Error, Phase};
use crate::framing::{FrameTooLarge, Framing};

/// More of an error page is of no use to anyone.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// An error response should arrive at once; its status is told even when its body does not.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a body could not be read on.
pub fn broken(provider: &str, error: &BrokenBody) -> Error {
    Error::UpstreamBroken { provider: provider.to_owned(), cause: error.to_string() }
}

/// An event beyond the limit.
pub fn frame_too_large(provider: &str, error: FrameTooLarge) -> Error {
    Error::UpstreamTooLarge { provider: provider.to_owned(), key: "max_frame_bytes", limit: error.limit }
}

/// An answer that is none, in the words of who looked into it.
pub fn failed(provider: &str, message: String) -> Error {
    let (status, complaint) = (Some(StatusCode::BAD_GATEWAY), Some(Complaint::Server));
    Error::UpstreamReported {
        provider: provider.to_owned(),
        message,
        r#type: None,
        code: None,
        status,
        retry_after: None,
        complaint,
    }
}

/// An answer beyond the limit.
pub fn answer_too_large(provider: &str, limit: usize) -> Error {
    Error::UpstreamTooLarge { provider: provider.to_owned(), key: "max_response_bytes", limit }
}

/// An error that the upstream reported, in the words of `dialect`, although its status was a success.
pub fn reported(dialect: &dyn Dialect, upstream: &Upstream, error: UpstreamError) -> Error {
    Error::UpstreamReported {
        provider: upstream.name.to_string(),
        complaint: None,
        status: error.status_in(dialect),
        retry_after: error.retry_after,
        message: upstream.redact(error.message),
        r#type: error.r#type,
        code: error.code,
    }
}

/// `error` of an upstream that was asked in other words than the client's, for a client that speaks `client`: its status
/// says what it complains of, and its own words, which that client would not understand, are left to the log.
pub fn in_other_words(error: Error, client: &dyn Dialect) -> Error {
    let told = |status: StatusCode, complaint: Complaint| match complaint {
        Complaint::Overloaded => client.overloaded(),
        Complaint::Authentication | Complaint::Billing | Complaint::RateLimit => complaint.status(),
        _ => status,
    };
    match error {
        Error::UpstreamStatus { provider, status, headers, body, message, .. } => {
            let known = body.and_then(|body| UpstreamError::parse(&body)).unwrap_or_default();
            let complaint = known.complaint(status.as_u16());
            let (status, complaint) = (told(status, complaint), Some(complaint));
            Error::UpstreamStatus { provider, status, headers, body: None, complaint, message }
        }
        Error::UpstreamReported { provider, status, retry_after, message, r#type, code, .. } => {
            let known = UpstreamError { message, r#type, code, ..UpstreamError::default() };
            let complaint = known.complaint(status.map_or(502, |status| status.as_u16()));
            let status = Some(told(status.unwrap_or_else(|| complaint.status()), complaint));
            let (message, complaint) = (known.message, Some(complaint));
            Error::UpstreamReported { provider, status, retry_after, message, r#type: None, code: None, complaint }
        }
        error => error,
    }
}

/// Passes a response with a success status on; anything else becomes an error that keeps what the upstream said.
pub(super) async fn expect_success(upstream: &Upstream, response: Response<Body>) -> Result<Response<Body>, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let provider = upstream.name.to_string();
    if status.is_redirection() || status.is_informational() {
        let what = format!("{status}; redirects are not followed. Set the provider's base_url to where it really is");
        return Err(Error::UpstreamUnexpected { provider, what });
    }
    let (mut parts, body) = response.into_parts();
    let text = upstream.redact(String::from_utf8_lossy(&read_start(body).await).into_owned());
    let error = UpstreamError::parse(text.as_bytes());
    let message = match &error {
        Some(error) => error.message.clone(),
        None => describe(&provider, status, parts.headers.get(CONTENT_TYPE), &text),
    };
    let body = error.is_some().then(|| Bytes::from(text));
    let error = error.unwrap_or_default();
    if let Some(wait) = error.retry_after {
        parts.headers.entry(RETRY_AFTER).or_insert_with(|| whole_seconds(wait).into());
    }
    Err(Error::UpstreamStatus { provider, status, headers: Box::new(parts.headers), body, complaint: None, message })
}

/// The first part of the body of a response that is an error whatever it says, so that what breaks it off is no news.
async fn read_start(mut body: Body) -> BytesMut {
    let mut text = BytesMut::new();
    let reading = async {
        while text.len() < MAX_ERROR_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            text.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
        }
    };
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, reading).await;
    text.truncate(MAX_ERROR_BYTES);
    text
}

/// A sentence for an error response that says nothing readable. A page of HTML is named, not quoted.
fn describe(provider: &str, status: StatusCode, content_type: Option<&HeaderValue>, text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return format!("Upstream \"{provider}\" answered {status} without a message.");
    }
    if content_type.is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.contains("html"))) || text.starts_with('<') {
        return format!("Upstream \"{provider}\" answered {status} with an HTML page; is its base_url right?");
    }
    let start: String = text.chars().filter(|character| !character.is_control()).take(300).collect();
    format!("Upstream \"{provider}\" answered {status}: {start}")
}

/// Passes a stream of `dialect` on. Anything else becomes an error, and one in JSON is told in its own words.
pub(super) async fn expect_stream(
    dialect: &dyn Dialect,
    upstream: &Upstream,
    response: Response<Body>,
) -> Result<Response<Body>, Error> {
    expect_identity(&upstream.name, response.headers())?;
    let expected = dialect.framing().content_type();
    let what = match response.headers().get(CONTENT_TYPE) {
        // Some small servers name none; the first frame will tell.
        None => return Ok(response),
        Some(kind) if is_of_type(kind, expected) => return Ok(response),
        Some(kind) => format!("content-type {kind:?} instead of {expected}"),
    };
    match dialect.parse_answer(&read_start(response.into_body()).await) {
        Ok(Err(error)) => Err(reported(dialect, upstream, error)),
        _ => Err(Error::UpstreamUnexpected { provider: upstream.name.to_string(), what }),
    }
}

/// Refuses a compressed response, which we could not read.
///
/// # Errors
///
/// [`Error::UpstreamUnexpected`]
pub fn expect_identity(provider: &str, headers: &HeaderMap) -> Result<(), Error> {
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => {
            let what = format!("content-encoding {encoding:?} although it was asked for identity");
            Err(Error::UpstreamUnexpected { provider: provider.to_owned(), what })
        }
        _ => Ok(()),
    }
}

/// The whole of `body`, within the configured size, no gap in it longer than the idle timeout.
pub(super) async fn read_whole(provider: &str, mut body: Body, config: &StreamConfig) -> Result<Bytes, Error> {
    let limit = config.max_response_bytes;
    let mut whole = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(config.idle_timeout, body.frame()).await;
        let frame = frame.map_err(|_| super::timeout(provider, Phase::Idle, config.idle_timeout))?;
        let Some(frame) = frame else { return Ok(whole.freeze()) };
        let data = frame.map_err(|error| broken(provider, &error))?.into_data().unwrap_or_default();
        if whole.len() + data.len() > limit {
            return Err(answer_too_large(provider, limit));
        }
        whole.extend_from_slice(&data);
    }
}

/// Checks that `body` is an answer in JSON, and returns the usage in it.
pub(super) fn expect_answer(
    dialect: &dyn Dialect,
    upstream: &Upstream,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Usage>, Error> {
    match dialect.parse_answer(body) {
        Ok(Ok(usage)) => Ok(usage),
        Ok(Err(error)) => Err(reported(dialect, upstream, error)),
        Err(_) => {
            let kind = headers
                .get(CONTENT_TYPE)
                .map_or_else(|| "no content-type".to_owned(), |kind| format!("content-type {kind:?}"));
            let what = format!("a body that is not JSON ({kind}); is its base_url right?");
            Err(Error::UpstreamUnexpected { provider: upstream.name.to_string(), what })
        }
    }
}

/// Whether `content_type` is `text/event-stream`, with whatever parameters.
pub fn is_event_stream(content_type: &HeaderValue) -> bool {
    is_of_type(content_type, Framing::EventStream.content_type())
}

fn is_of_type(content_type: &HeaderValue, expected: &str) -> bool {
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(expected.as_bytes())
}
