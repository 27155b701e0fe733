//! What upstreams complain of.

use http::StatusCode;

/// What an upstream complains of, in no dialect's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// The request is wrong.
    InvalidRequest,
    /// The request is longer than the model can take.
    ContextLength,
    /// The key is wrong.
    Authentication,
    /// Nobody pays.
    Billing,
    /// The key may not do this.
    Permission,
    /// There is no such model, or no such thing.
    NotFound,
    /// The request contradicts another.
    Conflict,
    /// The request has too many bytes.
    TooLarge,
    /// Too much was asked in too short a time.
    RateLimit,
    /// It took too long.
    Timeout,
    /// Too many ask at the moment.
    Overloaded,
    /// Something broke.
    Server,
}

impl Complaint {
    /// The status that says it, where the upstream's own does not.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::ContextLength => StatusCode::BAD_REQUEST,
            Self::Authentication => StatusCode::UNAUTHORIZED,
            Self::Billing => StatusCode::PAYMENT_REQUIRED,
            Self::Permission => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Server => StatusCode::BAD_GATEWAY,
        }
    }
}
