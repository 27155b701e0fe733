//! The HTTP server: which URL leads where.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, rejection::BytesRejection},
    http::{Method, StatusCode, Uri},
    response::Response,
    routing::{get, post},
    serve::ListenerExt,
};
use tokio::net::TcpListener;

use super::{
    chat, embeddings,
    error::{ApiError, json_response, to_json},
    legacy,
    lifeline::Tied,
    models::{self, Model},
};

/// Pictures in a chat are large, and the proxy in front has a limit of its own.
const LARGEST_BODY: usize = 64 << 20;

/// Runs the demo upstream on `listener` until the future is dropped.
///
/// Every connection ends with it: whatever was being said is cut off, and no task stays behind.
///
/// # Errors
///
/// None in practice: failing connections are their own affair, and a failing listener is tried again.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let without_delay = listener.tap_io(|socket| {
        // Tokens are small; Nagle's algorithm would hold each of them back until the one before is acknowledged. A
        // socket that refuses the option is one whose client has already left.
        socket.set_nodelay(true).ok();
    });
    axum::serve(Tied::new(without_delay), router()).await
}

/// A request body, or why there is none.
type Body = Result<Bytes, BytesRejection>;

fn router() -> Router {
    Router::new()
        .route("/v1/chat/completions", post(|body: Body| async move { chat::completions(&body?).await }))
        .route("/v1/completions", post(|body: Body| async move { legacy::completions(&body?).await }))
        .route("/v1/embeddings", post(|body: Body| async move { embeddings::embed(&body?) }))
        .route("/v1/models", get(|| async { json_response(StatusCode::OK, to_json(&models::list())) }))
        .route("/v1/models/{id}", get(model))
        .fallback(unknown_url)
        .method_not_allowed_fallback(unknown_url)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

async fn model(Path(id): Path<String>) -> Result<Response, ApiError> {
    let model = Model::find(&id).ok_or_else(|| ApiError::unknown_model(&id))?;
    Ok(json_response(StatusCode::OK, to_json(&model.card())))
}

async fn unknown_url(method: Method, url: Uri) -> ApiError {
    ApiError::unknown_url(method.as_str(), url.path())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        task::JoinHandle,
        time::timeout,
    };

    use super::{super::request::example, *};

    async fn start() -> (JoinHandle<std::io::Result<()>>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(serve(listener));
        (server, TcpStream::connect(address).await.expect("a connection"))
    }

    async fn send(client: &mut TcpStream, head: &str, body: &[u8]) {
        let head = format!("{head} HTTP/1.1\r\nhost: demo\r\ncontent-length: {}\r\n\r\n", body.len());
        client.write_all(&[head.as_bytes(), body].concat()).await.expect("the request is sent");
    }

    /// Reads until `wanted` has been seen; panics if it never comes.
    async fn read_until(client: &mut TcpStream, wanted: &str) -> String {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            let read = timeout(Duration::from_secs(5), client.read_buf(&mut seen)).await.expect("an answer in time");
            assert_ne!(read.expect("a healthy connection"), 0, "{}", String::from_utf8_lossy(&seen));
        }
        String::from_utf8_lossy(&seen).into_owned()
    }

    #[tokio::test]
    async fn unknown_urls_and_methods_get_an_error_in_openais_shape() {
        let (_server, mut client) = start().await;
        for head in ["GET /v1/nothing", "GET /v1/chat/completions", "DELETE /v1/models", "GET /"] {
            send(&mut client, head, b"").await;
            let answer = read_until(&mut client, "}}").await;
            assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
            assert!(answer.contains(&format!("Invalid URL ({head})")), "{answer}");
        }
    }

    #[tokio::test]
    async fn models_are_listed_and_shown_one_by_one() {
        let (_server, mut client) = start().await;
        send(&mut client, "GET /v1/models", b"").await;
        assert!(read_until(&mut client, "]").await.contains("\"demo-stall\""));
        send(&mut client, "GET /v1/models/demo-error", b"").await;
        assert!(read_until(&mut client, "}").await.starts_with("HTTP/1.1 200"));
        send(&mut client, "GET /v1/models/gpt-4o", b"").await;
        assert!(read_until(&mut client, "}}").await.contains("model_not_found"));
    }

    #[tokio::test]
    async fn the_headers_arrive_before_the_first_token() {
        let (_server, mut client) = start().await;
        send(&mut client, "POST /v1/chat/completions", &example("demo-thinking", "hi", json!({"stream": true}))).await;
        let head = read_until(&mut client, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[tokio::test]
    async fn a_connection_that_hangs_on_purpose_ends_with_the_server() {
        let (server, mut client) = start().await;
        send(&mut client, "POST /v1/chat/completions", &example("demo-stall", "hi", json!({"stream": true}))).await;
        read_until(&mut client, "data: ").await;
        server.abort();
        let mut rest = Vec::new();
        let end = timeout(Duration::from_secs(5), client.read_to_end(&mut rest)).await;
        // Whether the client sees an end or a reset depends on what was still on its way.
        assert!(end.is_ok(), "the connection outlived the server");
        assert!(!String::from_utf8_lossy(&rest).contains("[DONE]"));
    }

    #[tokio::test]
    async fn a_flaky_stream_breaks_off_inside_an_event() {
        let (_server, mut client) = start().await;
        send(&mut client, "POST /v1/chat/completions", &example("demo-flaky", "hi", json!({"stream": true}))).await;
        let mut bytes = Vec::new();
        timeout(Duration::from_secs(5), client.read_to_end(&mut bytes)).await.expect("an end in time").ok();
        let stream = String::from_utf8_lossy(&bytes);
        assert!(!stream.contains("[DONE]") && !stream.ends_with("0\r\n\r\n"));
        let last = stream.rfind("data: ").map(|start| &stream[start..]).expect("events");
        assert!(!last.contains("\n\n"), "{last}");
    }
}
