//! A stream that is kept, told as the one answer that it would have been without streaming.

use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

use super::resumable::{self, invalid, parameter};
use super::state::Context;
use super::{error, streams};
use crate::dialect::{Dialect, Observer, UpstreamError};
use crate::error::{Error, Phase};
use crate::relay::guard::StreamGuard;
use crate::stream_log::id::Position;
use crate::stream_log::reader::{Cut, Form, Reader};
use crate::stream_log::{State, StreamLog};

/// After how many seconds one whose stream is still running is to be asked for again.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("1");

/// Whether a request wants a stream as one answer: by `?format=json`, or by an `Accept` that names JSON and no event stream.
pub(super) fn is_wanted(headers: &HeaderMap, query: Option<&str>) -> Result<bool, Error> {
    match parameter(query, "format") {
        Some("json") => return Ok(true),
        Some("sse") => return Ok(false),
        Some(_) => return Err(invalid("`format` can only be `json` or `sse`.")),
        None => {}
    }
    let accepted = || headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let names = |kind: &str| accepted().any(|value| value.to_ascii_lowercase().contains(kind));
    Ok(names("application/json") && !names("text/event-stream"))
}

/// Tells the stream of `log` as one answer in its dialect. Of one that is still running it tells that; one that failed is the
/// error that it failed with, and never the part of an answer that came before.
pub(super) async fn tell(context: &Context, log: Arc<StreamLog>) -> Result<Response, Error> {
    resumable::note(context, &log);
    let summary = log.summary();
    if summary.state == State::Running {
        let mut response = streams::json_response(StatusCode::ACCEPTED, &streams::card(&summary));
        response.headers_mut().insert(RETRY_AFTER, ASK_AGAIN);
        resumable::mark(context, response.headers_mut(), &log);
        return Ok(response);
    }
    log.is_delivered(0)?;
    let dialect = log.about().dialect;
    let run = rest(context, &log, 0).await?;
    let mut response = match answer(dialect, &run, summary.state) {
        Ok(answer) => streams::json_response(StatusCode::OK, &answer),
        Err(failure) => {
            let mut response = Response::new(Body::empty());
            error::tell(&mut response, &failure, dialect);
            response
        }
    };
    resumable::mark(context, response.headers_mut(), &log);
    Ok(response)
}

/// The answer that the stream `run` of `dialect`, which came to `state`, would have been.
fn answer(dialect: &'static dyn Dialect, run: &[u8], state: State) -> Result<Value, Error> {
    if let Some(error) = failure(dialect, run, state) {
        return Err(error);
    }
    let mut events = dialect.framing().events(run).filter_map(|event| serde_json::from_slice(&event.data?).ok());
    dialect.gather(&mut events).ok_or_else(|| invalid("This stream cannot be told as one answer. Read it as events."))
}

/// The error that the stream `run` of `dialect`, which came to `state`, ended in.
pub(super) fn failure(dialect: &'static dyn Dialect, run: &[u8], state: State) -> Option<Error> {
    let mut observer = Observer::new(dialect, 1);
    observer.observe(run);
    let error = match observer.error() {
        Some(error) => error.clone(),
        None if observer.is_complete() => return None,
        None => UpstreamError::of_event("The stream ended before the answer was finished."),
    };
    let took_too_long = Phase::ALL.iter().any(|phase| error.code.as_deref() == Some(phase.key()));
    Some(Error::UpstreamReported {
        provider: String::new(),
        status: match state {
            State::Stopped => Some(StatusCode::GONE),
            _ if took_too_long => Some(StatusCode::GATEWAY_TIMEOUT),
            _ => error.status_in(dialect),
        },
        // To ask for this stream again would change nothing.
        retry_after: None,
        message: error.message,
        r#type: error.r#type,
        code: error.code,
        complaint: None,
    })
}

/// The frames of `log` behind the one with the number `after`, once it has ended.
///
/// # Errors
///
/// [`Error::StreamsUnavailable`] if the replica that produces it cannot be reached any more.
pub(super) async fn rest(context: &Context, log: &Arc<StreamLog>, after: u64) -> Result<Bytes, Error> {
    let body = reader(context, log, after).collect().await.map_err(|Cut| Error::StreamsUnavailable)?;
    Ok(body.to_bytes())
}

/// Some of the first frames of `log`, once there are any.
pub(super) async fn beginning(context: &Context, log: &Arc<StreamLog>) -> Bytes {
    match pin!(reader(context, log, 0)).frame().await {
        Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        Some(Err(Cut)) | None => Bytes::new(),
    }
}

fn reader(context: &Context, log: &Arc<StreamLog>, after: u64) -> Reader {
    let guard = StreamGuard::new(context.record.clone(), context.peer.clone());
    Reader::new(Arc::clone(log), Position::behind(after), Form::AsIs, None, guard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_to_who_names_it_and_nothing_else_that_streams() {
        let wanted = |accept: &'static str, query| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            is_wanted(&headers, query).unwrap()
        };
        assert!(wanted("application/json", None) && wanted("Application/JSON, text/plain, */*", None));
        assert!(!wanted("*/*", None) && !wanted("text/event-stream", None));
        assert!(!wanted("application/json, text/event-stream", None));
        assert!(
            wanted("text/event-stream", Some("after=1&format=json")) && !wanted("application/json", Some("format=sse"))
        );
        assert!(is_wanted(&HeaderMap::new(), Some("format=xml")).is_err());
        assert!(!is_wanted(&HeaderMap::new(), None).unwrap());
    }
}
