//! What went wrong, and whose fault it is.
//!
//! Every failure of a request is one [`Error`]. Its HTTP status, its word for programs ([`kind`](Error::kind)), the decision
//! to try another target, which `upstream/retry` makes, and the log line all read the same value. The message is a sentence for
//! the client: it says what to do and holds no secret. The cause, where there is one, is for the log.

mod complaint;
mod message;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

pub use complaint::Complaint;

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The request was wrong, or its sender may not send it.
    Client,
    /// The model server failed.
    Upstream,
    /// Sluicegate itself cannot serve it now.
    Proxy,
}

/// The phase of a request that took too long. Each has its own key in `[stream]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Connecting to the upstream.
    Connect,
    /// Waiting for its response headers.
    Headers,
    /// Waiting for its whole answer, where it does not stream.
    Response,
    /// Waiting for the first content.
    FirstToken,
    /// Waiting for the next piece.
    Idle,
    /// Waiting for more than a trickle.
    MinRate,
    /// The whole stream.
    Total,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 6] =
        [Self::Connect, Self::Headers, Self::Response, Self::FirstToken, Self::Idle, Self::Total];

    /// The key of `[stream]` that bounds it; also the error's kind.
    pub fn key(self) -> &'static str {
        match self {
            Self::Connect => "connect_timeout",
            Self::Headers => "headers_timeout",
            Self::Response => "response_timeout",
            Self::FirstToken => "first_token_timeout",
            Self::Idle => "idle_timeout",
            Self::MinRate => "min_rate",
            Self::Total => "total_timeout",
        }
    }
}

/// A failed request.
#[derive(Debug, Clone)]
pub enum Error {
    /// The request cannot be understood.
    InvalidRequest {
        /// What to do about it.
        message: String,
        /// The field at fault.
        param: Option<&'static str>,
    },
    /// The request has more header fields than `server.max_headers`.
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// The request body is larger than `server.max_body_bytes`.
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The request body did not arrive within `server.body_timeout`.
    BodyTimeout,
    /// The request body is not JSON where it must be.
    UnsupportedMediaType,
    /// No key was presented.
    MissingKey,
    /// The key presented is unknown.
    InvalidKey,
    /// The `Host` header names another host than this server's.
    HostRefused,
    /// The page's origin is not allowed.
    OriginRefused,
    /// No provider is known for the model.
    ModelNotFound {
        /// The name asked for.
        model: String,
    },
    /// Something in the request cannot be said in the dialect of the model's provider.
    Untranslatable {
        /// What, as the client calls it.
        param: String,
        /// Why, as half a sentence.
        why: String,
        /// The provider's name.
        provider: String,
        /// What it speaks.
        spoken: &'static str,
    },
    /// The model's provider does not speak the client's dialect, and what is asked is not translated.
    WrongDialect {
        /// The name asked for.
        model: String,
        /// The provider's name.
        provider: String,
        /// What it speaks.
        spoken: &'static str,
        /// What the client speaks.
        asked: &'static str,
        /// Where clients ask who speak what it speaks.
        endpoint: &'static str,
    },
    /// There is no such path.
    PathNotFound,
    /// The path has no such method.
    MethodNotAllowed,
    /// There is no such stream that can be resumed, or not for this caller, or what is asked of it is no longer kept.
    StreamNotFound,
    /// A stream that can be resumed was stopped before its end.
    StreamStopped {
        /// Why, as half a sentence.
        why: &'static str,
    },
    /// There are as many resumable streams as may be.
    TooManyStreams {
        /// The key of `[resume]` that bounds them.
        key: &'static str,
        /// The limit.
        limit: usize,
    },
    /// As much is running or waiting on a WebSocket connection as may.
    TooManyOnConnection {
        /// The key that bounds it, with its section.
        key: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A WebSocket connection has lasted as long as it may.
    ConnectionTooOld {
        /// The limit.
        limit: Duration,
    },
    /// The response that a request goes on from is not known here.
    PreviousResponseNotFound {
        /// Its id.
        id: String,
    },
    /// No response that runs on a WebSocket connection is the one meant.
    ResponseNotFound,

    /// The upstream answered with an error status.
    UpstreamStatus {
        /// The provider's name.
        provider: String,
        /// Its status.
        status: StatusCode,
        /// Its header fields: when it wants to be asked again, what is left of its limits.
        headers: Box<HeaderMap>,
        /// Its answer as it came, if it was JSON and in the client's dialect: to be told in its own words.
        body: Option<Bytes>,
        /// What it complains of, if that is to be told in other words than its own.
        complaint: Option<Complaint>,
        /// Its message.
        message: String,
    },
    /// The upstream reported an error inside a successful response.
    UpstreamReported {
        /// The provider's name.
        provider: String,
        /// Its message.
        message: String,
        /// Its error type.
        r#type: Option<String>,
        /// Its code.
        code: Option<String>,
        /// The status its code stands for.
        status: Option<StatusCode>,
        /// When it wants to be asked again, if it said so.
        retry_after: Option<Duration>,
        /// What it complains of, if that is to be told in other words than its own.
        complaint: Option<Complaint>,
    },
    /// The upstream took too long.
    UpstreamTimeout {
        /// The provider's name.
        provider: String,
        /// What took too long.
        phase: Phase,
        /// How long it was given.
        limit: Duration,
    },
    /// No connection to the upstream could be made.
    UpstreamConnect {
        /// The provider's name.
        provider: String,
        /// Why.
        cause: String,
    },
    /// The connection to the upstream broke, or what came over it was no HTTP.
    UpstreamBroken {
        /// The provider's name.
        provider: String,
        /// Why.
        cause: String,
    },
    /// The upstream's stream ended before the answer did.
    UpstreamTruncated {
        /// The provider's name.
        provider: String,
    },
    /// The upstream answered with something else than was asked for.
    UpstreamUnexpected {
        /// The provider's name.
        provider: String,
        /// What it answered with.
        what: String,
    },
    /// The upstream's event or answer exceeds the limit.
    UpstreamTooLarge {
        /// The provider's name.
        provider: String,
        /// The key of `[stream]` that is exceeded.
        key: &'static str,
        /// The limit in bytes.
        limit: usize,
    },

    /// Every target has as many requests in flight as it may have, and none had room in time.
    OverCapacity {
        /// The provider's name.
        provider: String,
        /// How many those are.
        limit: usize,
    },
    /// Sluicegate is shutting down.
    ShuttingDown,
    /// Another replica may have the stream, and cannot be asked.
    StreamsUnavailable,
    /// The replica that produced the stream is gone.
    ReplicaLost,
}

impl Error {
    /// Whose fault it is.
    pub fn origin(&self) -> Origin {
        match self {
            Self::InvalidRequest { .. }
            | Self::TooManyHeaders { .. }
            | Self::BodyTooLarge { .. }
            | Self::BodyTimeout
            | Self::UnsupportedMediaType
            | Self::MissingKey
            | Self::InvalidKey
            | Self::HostRefused
            | Self::OriginRefused
            | Self::ModelNotFound { .. }
            | Self::Untranslatable { .. }
            | Self::WrongDialect { .. }
            | Self::PathNotFound
            | Self::MethodNotAllowed
            | Self::StreamNotFound
            | Self::StreamStopped { .. }
            | Self::TooManyStreams { .. }
            | Self::TooManyOnConnection { .. }
            | Self::ConnectionTooOld { .. }
            | Self::PreviousResponseNotFound { .. }
            | Self::ResponseNotFound => Origin::Client,
            Self::UpstreamStatus { .. }
            | Self::UpstreamReported { .. }
            | Self::UpstreamTimeout { .. }
            | Self::UpstreamConnect { .. }
            | Self::UpstreamBroken { .. }
            | Self::UpstreamTruncated { .. }
            | Self::UpstreamUnexpected { .. }
            | Self::UpstreamTooLarge { .. } => Origin::Upstream,
            Self::OverCapacity { .. } | Self::ShuttingDown | Self::StreamsUnavailable | Self::ReplicaLost => {
                Origin::Proxy
            }
        }
    }

    /// A stable word for programs: the `code` of error bodies, and a field of the log line.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InvalidRequest { .. } => "invalid_request",
            Self::TooManyHeaders { .. } => "too_many_headers",
            Self::BodyTooLarge { .. } => "request_too_large",
            Self::BodyTimeout => "request_timeout",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::MissingKey => "missing_api_key",
            Self::InvalidKey => "invalid_api_key",
            Self::HostRefused => "host_not_allowed",
            Self::OriginRefused => "origin_not_allowed",
            Self::ModelNotFound { .. } => "model_not_found",
            Self::Untranslatable { .. } => "unsupported_parameter",
            Self::WrongDialect { .. } => "wrong_dialect",
            Self::PathNotFound => "path_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::StreamNotFound => "stream_not_found",
            Self::StreamStopped { .. } => "stream_stopped",
            Self::TooManyStreams { .. } => "too_many_streams",
            Self::TooManyOnConnection { .. } => "websocket_stream_limit_reached",
            Self::ConnectionTooOld { .. } => "websocket_connection_limit_reached",
            Self::PreviousResponseNotFound { .. } => "previous_response_not_found",
            Self::ResponseNotFound => "response_not_found",
            Self::UpstreamStatus { .. } => "upstream_status",
            Self::UpstreamReported { .. } => "upstream_error",
            Self::UpstreamTimeout { phase, .. } => phase.key(),
            Self::UpstreamConnect { .. } => "upstream_unreachable",
            Self::UpstreamBroken { .. } => "upstream_connection_broken",
            Self::UpstreamTruncated { .. } => "upstream_truncated",
            Self::UpstreamUnexpected { .. } => "upstream_unexpected_response",
            Self::UpstreamTooLarge { .. } => "upstream_too_large",
            Self::OverCapacity { .. } => "over_capacity",
            Self::ShuttingDown => "shutting_down",
            Self::StreamsUnavailable => "streams_unavailable",
            Self::ReplicaLost => "replica_lost",
        }
    }

    /// The HTTP status of a response that could not begin otherwise.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidRequest { .. }
            | Self::Untranslatable { .. }
            | Self::WrongDialect { .. }
            | Self::ConnectionTooOld { .. }
            | Self::PreviousResponseNotFound { .. } => StatusCode::BAD_REQUEST,
            Self::TooManyHeaders { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MissingKey | Self::InvalidKey => StatusCode::UNAUTHORIZED,
            Self::HostRefused | Self::OriginRefused => StatusCode::FORBIDDEN,
            Self::ModelNotFound { .. } | Self::PathNotFound | Self::StreamNotFound | Self::ResponseNotFound => {
                StatusCode::NOT_FOUND
            }
            Self::StreamStopped { .. } => StatusCode::GONE,
            Self::TooManyStreams { .. } | Self::TooManyOnConnection { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UpstreamStatus { status, .. } => *status,
            Self::UpstreamReported { status, .. } => status.unwrap_or(StatusCode::BAD_GATEWAY),
            Self::UpstreamTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::UpstreamConnect { .. }
            | Self::UpstreamBroken { .. }
            | Self::UpstreamTruncated { .. }
            | Self::UpstreamUnexpected { .. }
            | Self::UpstreamTooLarge { .. } => StatusCode::BAD_GATEWAY,
            Self::OverCapacity { .. } | Self::ShuttingDown | Self::StreamsUnavailable | Self::ReplicaLost => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// The name of the provider that failed, if one did.
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::UpstreamStatus { provider, .. }
            | Self::UpstreamReported { provider, .. }
            | Self::UpstreamTimeout { provider, .. }
            | Self::UpstreamConnect { provider, .. }
            | Self::UpstreamBroken { provider, .. }
            | Self::UpstreamTruncated { provider }
            | Self::UpstreamUnexpected { provider, .. }
            | Self::UpstreamTooLarge { provider, .. }
            | Self::OverCapacity { provider, .. } => Some(provider),
            _ => None,
        }
    }

    /// Why, in the words of the library that failed; for the log.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::UpstreamConnect { cause, .. } | Self::UpstreamBroken { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
