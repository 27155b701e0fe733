//! The sentence that an error says to a client.

use std::fmt;
use std::time::Duration;

use super::{Error, Phase};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidRequest { message, .. } => f.write_str(message),
            Self::TooManyHeaders { limit } => {
                write!(f, "The request has more than {limit} header fields. Send fewer, or raise server.max_headers.")
            }
            Self::BodyTooLarge { limit } => {
                write!(f, "The request body is larger than {limit} bytes. Send less, or raise server.max_body_bytes.")
            }
            Self::BodyTimeout => f.write_str("The request body did not arrive in time. Send it faster."),
            Self::UnsupportedMediaType => f.write_str("Send the request as JSON, with \"content-type: application/json\"."),
            Self::MissingKey => f.write_str(
                "You didn't provide an API key. Provide it in an Authorization header using Bearer auth \
                 (Authorization: Bearer YOUR_KEY), or as x-api-key.",
            ),
            Self::InvalidKey => f.write_str("Incorrect API key provided. This server's keys are those of its own configuration."),
            Self::HostRefused => f.write_str(
                "The Host header does not name this server. Call it as localhost, or add the name to server.allowed_hosts.",
            ),
            Self::OriginRefused => f.write_str(
                "Pages of this origin may not call this server. Add the origin to cors.allowed_origins, or configure a [[key]].",
            ),
            Self::ModelNotFound { model } => {
                write!(f, "The model `{model}` does not exist here. GET /v1/models lists those that do.")
            }
            Self::Untranslatable { param, why, provider, spoken } => write!(
                f,
                "`{param}` cannot be passed on: {why}. Provider \"{provider}\" is asked in {spoken}. Leave it out, ask a model \
                 whose provider knows it, or set translation.lenient to have such parameters dropped."
            ),
            Self::WrongDialect { model, provider, spoken, asked, endpoint } => write!(
                f,
                "Model \"{model}\" is served by provider \"{provider}\", which speaks {spoken}; this request is in {asked}, and \
                 what is asked here is not translated. Ask for it at POST {endpoint}, or for a model whose provider speaks {asked}."
            ),
            Self::PathNotFound => f.write_str(
                "There is nothing at this URL. Chat completions are at POST /v1/chat/completions, responses at POST /v1/responses, \
                 messages at POST /v1/messages, Gemini's methods below /v1beta/models, Ollama's at /api/chat.",
            ),
            Self::MethodNotAllowed => f.write_str("This URL does not take this method; see the Allow header."),
            Self::StreamNotFound => f.write_str(
                "There is no such stream, or it has expired, or what is asked of it is no longer kept. Send the request again.",
            ),
            Self::StreamStopped { why } => write!(f, "The stream was stopped: {why}."),
            Self::TooManyStreams { key, limit } => {
                write!(f, "There are {limit} resumable streams already (resume.{key}). Stop one, or ask for one that is not resumable.")
            }
            Self::TooManyOnConnection { key, limit } => {
                write!(f, "More is running or waiting on this connection than may ({key} = {limit}). Wait for something to end, or open another connection.")
            }
            Self::ConnectionTooOld { limit } => {
                let limit = humantime::format_duration(*limit);
                write!(f, "This connection has lasted {limit} (websocket.max_age). Open another one and go on there.")
            }
            Self::PreviousResponseNotFound { id } => write!(
                f,
                "Previous response `{id}` is not known on this connection. Send the whole `input`, without `previous_response_id`."
            ),
            Self::ResponseNotFound => f.write_str("No such response is running on this connection."),
            Self::UpstreamStatus { message, .. } | Self::UpstreamReported { message, .. } => f.write_str(message),
            Self::UpstreamTimeout { provider, phase, limit } => say_timeout(f, provider, *phase, *limit),
            Self::UpstreamConnect { provider, .. } => write!(f, "Upstream \"{provider}\" cannot be reached."),
            Self::UpstreamBroken { provider, .. } => write!(f, "The connection to upstream \"{provider}\" broke."),
            Self::UpstreamTruncated { provider } => {
                write!(f, "The stream of upstream \"{provider}\" ended before the answer was finished.")
            }
            Self::UpstreamUnexpected { provider, what } => write!(f, "Upstream \"{provider}\" answered with {what}."),
            Self::UpstreamTooLarge { provider, key, limit } => {
                write!(f, "Upstream \"{provider}\" sent more than {limit} bytes in one piece (stream.{key}).")
            }
            Self::StreamsUnavailable => f.write_str("The streams of other replicas cannot be reached now. Come back in a moment."),
            Self::ReplicaLost => {
                f.write_str("The replica that produced this answer is gone, and the rest of the answer with it. Send the request again.")
            }
            Self::OverCapacity { provider, limit } => {
                write!(f, "Provider \"{provider}\" has {limit} requests in flight, as many as it may have. Try again soon.")
            }
            Self::ShuttingDown => f.write_str("The server is shutting down. Send the request again."),
        }
    }
}

/// Says which part of its answer the upstream took longer for than `limit`, and the key that allows it more.
fn say_timeout(f: &mut fmt::Formatter<'_>, provider: &str, phase: Phase, limit: Duration) -> fmt::Result {
    let limit = humantime::format_duration(limit);
    match phase {
        Phase::Connect => write!(f, "Connecting to upstream \"{provider}\" took longer than {limit}"),
        Phase::Headers => write!(f, "Upstream \"{provider}\" sent no response headers within {limit}"),
        Phase::Response => write!(f, "Upstream \"{provider}\" did not answer within {limit}"),
        Phase::FirstToken => write!(f, "Upstream \"{provider}\" sent no first token within {limit}"),
        Phase::Idle => write!(f, "Upstream \"{provider}\" went silent for {limit} in the middle of its answer"),
        Phase::MinRate => write!(f, "Upstream \"{provider}\" was too slow for {limit} in the middle of its answer"),
        Phase::Total => write!(f, "The answer of upstream \"{provider}\" took longer than {limit}"),
    }?;
    write!(f, " (stream.{}).", phase.key())
}
