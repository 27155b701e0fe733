//! What is no event stream passes as it is too: requests but for the model's name, and answers of every kind.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::support::{
    Client, DONE, FINISH, Proxy, ROLE, Received, Recording, Script, Upstream, anthropic, request, soon,
};

/// JSON as no library writes it: what a parser would forget or spell anew is in it.
const ODD: &str = r#"{ "unknown":{"model":"chat","numbers":[1.50e2, -0, 1E+400, 12345678901234567890]},
	"text" : "\u00e9\/\ud83e\udd80 é", "model" : "ch\u0061t" ,"messages":[ ],
	"temperature":1.0,"twice":1,"twice":2 STREAM}
"#;

/// A name that takes some spelling itself.
const NAME: &str = "the \"real\" Modèle/v2";

/// A proxy where the model `chat` is called [`NAME`] upstream.
async fn renaming(upstream: &Upstream) -> Proxy {
    Proxy::configured(upstream, |config| {
        config.models.push(sluicegate::config::model::Model {
            name: "chat".to_owned(),
            targets: vec![format!("upstream/{NAME}").try_into().unwrap()],
            ..Default::default()
        });
    })
    .await
}

/// A stream or not, as it is asked.
fn answer(received: &Received) -> Script {
    if memchr::memmem::find(&received.body, b"\"stream\" :true").is_none() {
        Script::json("200 OK", "{\"choices\":[]}")
    } else if received.head.starts_with("POST /v1/messages") {
        anthropic::answer(&[])
    } else {
        Script::stream().send([ROLE, FINISH, DONE].concat()).end()
    }
}

// === Requests ===

#[tokio::test]
async fn only_the_model_of_a_request_is_changed() {
    let mut upstream = Upstream::start_with(answer).await;
    let proxy = renaming(&upstream).await;
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/embeddings", "/v1/responses"] {
        for stream in ["", ",\"stream\" :false", ",\"stream\" :true"] {
            let body = ODD.replace("STREAM", stream);
            assert_eq!(proxy.post(path, body.clone()).await.status(), 200, "{path} {stream}");
            let received = upstream.request().await;
            let expected = body.replace(r#""ch\u0061t""#, r#""the \"real\" Modèle/v2""#);
            assert_eq!(received.body, expected, "{path} {stream}");
            assert_eq!(received.header("content-length"), Some(&*expected.len().to_string()));
            assert_eq!(received.head.lines().next(), Some(&*format!("POST {path} HTTP/1.1")));
        }
    }
}

// === Answers ===

#[tokio::test]
async fn every_recorded_answer_passes_byte_for_byte() {
    let answers: Vec<_> = Recording::exact().into_iter().filter(|recording| recording.is("nonstream")).collect();
    assert!(answers.len() >= 2);
    for recording in answers {
        let recorded = recording.response();
        let chunked =
            recorded.chunks(7).fold(Script::head("200 OK", "content-type: application/json\r\n"), |script, piece| {
                script.send(piece.to_vec())
            });
        let whole = Script::json("200 OK", std::str::from_utf8(&recorded).unwrap());
        for script in [whole, chunked.end()] {
            let upstream = Upstream::start(script).await;
            let proxy = Proxy::before(&upstream).await;
            let response = proxy.post("/v1/chat/completions", recording.request()).await;
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(response.headers()["content-length"], recorded.len().to_string());
            assert_eq!(soon("the answer", response.bytes()).await.unwrap(), recorded, "{}", recording.file);
        }
    }
}

#[tokio::test]
async fn an_answer_of_another_kind_passes_byte_for_byte_under_its_own_headers() {
    let audio: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let headers = "content-type: audio/mpeg\r\ncontent-disposition: attachment\r\netag: \"7\"\r\n";
    let known = format!("HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\n{headers}\r\n", audio.len());
    let known = Script::raw([known.as_bytes(), &audio].concat());
    let chunked = audio
        .chunks(999)
        .fold(Script::head("206 Partial Content", headers), |script, piece| script.send(piece.to_vec()));
    for (script, length) in [(known, Some("100000")), (chunked.end(), None)] {
        let upstream = Upstream::start(script).await;
        let proxy = Proxy::before(&upstream).await;
        let response = proxy.post("/v1/audio/speech", r#"{"model":"m","input":"hi"}"#).await;
        assert_eq!(response.status(), 206);
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("content-type"), Some("audio/mpeg"));
        assert_eq!(header("content-disposition"), Some("attachment"));
        assert_eq!(header("etag"), Some("\"7\""));
        assert_eq!(header("content-length"), length);
        assert!(soon("the answer", response.bytes()).await.unwrap() == audio);
    }
}

#[tokio::test]
async fn each_piece_of_an_answer_of_another_kind_is_forwarded_at_once() {
    let cue = Arc::<Notify>::default();
    let pieces = ["<one>", "<two>", "<three>"];
    let head = Script::head("200 OK", "content-type: application/x-ndjson\r\n");
    let upstream = Upstream::start(pieces.iter().fold(head, |script, piece| script.send(*piece).cue(&cue)).end()).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&request("/v1/audio/speech", r#"{"model":"m"}"#)).await;
    for piece in pieces {
        client.read_until(piece).await;
        cue.notify_one();
    }
    client.read_until("\r\n0\r\n\r\n").await;
}
