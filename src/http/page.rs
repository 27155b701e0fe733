//! The chat page, and the module for other pages that it is built on: four files compiled into the binary.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// Nothing but this server's own files runs in the page, and it talks to nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`
pub(super) async fn index() -> Response {
    file("text/html; charset=utf-8", include_bytes!("../../web/index.html"))
}

/// `GET /chat.css`
pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_bytes!("../../web/chat.css"))
}

/// `GET /chat.js`
pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_bytes!("../../web/chat.js"))
}

/// `GET /sluicegate.js`, at a URL that stays: pages of other origins import it from here.
pub(super) async fn module() -> Response {
    file("text/javascript; charset=utf-8", include_bytes!("../../web/sluicegate.js"))
}

fn file(content_type: &'static str, content: &'static [u8]) -> Response {
    let mut response = Response::new(Body::from(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}
