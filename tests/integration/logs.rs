//! Every request leaves one line in the log: how it ended, never what was said.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::config::secret::Secret;
use tokio::sync::Notify;

use crate::support::{
    Client, Program, Proxy, ROLE, Reply, Script, Upstream, chat, client, fixture, key, logs, nowhere, provider,
    request, soon, token,
};

/// A chat request with an id of its own, as bytes.
fn request_with_id(id: &str, body: &str) -> String {
    request("/v1/chat/completions", body).replacen("\r\n", &format!("\r\nx-request-id: {id}\r\n"), 1)
}

/// The line of the request of `reply`.
async fn line_of(reply: &Reply) -> logs::Line {
    soon("a log line", logs::line_of(reply.request_id())).await
}

/// Holds that the fields of `line` are those of `expected`, where `*` is any value, and no others.
fn assert_line(line: &logs::Line, expected: &[(&str, &str)]) {
    let names = |fields: &mut dyn Iterator<Item = String>| fields.collect::<BTreeSet<_>>();
    let expected_names = names(&mut expected.iter().map(|(name, _)| (*name).to_owned()));
    assert_eq!(names(&mut line.keys().cloned()), expected_names, "{line:?}");
    for (name, value) in expected {
        assert!(*value == "*" || line[*name] == *value, "{name} is not {value}: {line:?}");
    }
}

#[tokio::test]
async fn a_stream_that_completes_says_so_with_all_its_figures() {
    let recording = fixture("openai-chat/deepseek-chat-tool-noargs.sse");
    let frames = recording.matches("data: ").count().to_string();
    let upstream = Upstream::start(Script::stream().send(recording.clone()).end()).await;
    let proxy = Proxy::before(&upstream).await;
    let reply = proxy.ask(true).await;
    let line = line_of(&reply).await;
    assert_line(
        &line,
        &[
            ("message", "request"),
            ("outcome", "completed"),
            ("status", "200"),
            ("method", "POST"),
            ("path", "/v1/chat/completions"),
            ("request_id", reply.request_id()),
            ("model", "m"),
            ("provider", "upstream"),
            ("time_to_first_token_seconds", "*"),
            ("duration_seconds", "*"),
            ("frames", &frames),
            ("bytes", &recording.len().to_string()),
            ("input_tokens", "291"),
            ("output_tokens", "39"),
        ],
    );
    let [first, whole] =
        ["time_to_first_token_seconds", "duration_seconds"].map(|name| line[name].parse::<f64>().unwrap());
    assert!(0.0 < first && first <= whole && whole < 60.0, "{line:?}");
}

#[tokio::test]
async fn an_answer_says_what_it_cost() {
    let body = r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}"#;
    let upstream = Upstream::start(Script::json("200 OK", body)).await;
    let line = line_of(&Proxy::before(&upstream).await.ask(false).await).await;
    assert_line(
        &line,
        &[
            ("message", "request"),
            ("outcome", "completed"),
            ("status", "200"),
            ("method", "POST"),
            ("path", "/v1/chat/completions"),
            ("request_id", "*"),
            ("model", "m"),
            ("provider", "upstream"),
            ("duration_seconds", "*"),
            ("frames", "0"),
            ("bytes", &body.len().to_string()),
            ("input_tokens", "7"),
            ("output_tokens", "9"),
        ],
    );
}

#[tokio::test]
async fn a_passthrough_says_how_much_passed() {
    let upstream = Upstream::start(Script::response("200 OK", "content-type: audio/mpeg\r\n", "la la la")).await;
    let proxy = Proxy::before(&upstream).await;
    let line = line_of(&Reply::of(proxy.post("/v1/audio/speech", r#"{"model":"tts"}"#).await).await).await;
    assert_eq!((line["outcome"].as_str(), line["model"].as_str(), line["bytes"].as_str()), ("completed", "tts", "8"));
}

#[tokio::test]
async fn a_failure_names_its_kind_and_its_cause() {
    let mut config = Config::for_testing();
    config.providers.push(provider("gone", &nowhere()));
    let line = line_of(&Proxy::start(config).await.ask(true).await).await;
    assert_line(
        &line,
        &[
            ("message", "request"),
            ("outcome", "upstream_failed"),
            ("status", "502"),
            ("method", "POST"),
            ("path", "/v1/chat/completions"),
            ("request_id", "*"),
            ("model", "m"),
            ("provider", "gone"),
            ("attempts", "*"),
            ("error", "upstream_unreachable"),
            ("cause", "*"),
            ("duration_seconds", "*"),
            ("frames", "0"),
            ("bytes", "0"),
        ],
    );
    assert!(line["cause"].contains("refused") && !line["cause"].contains("http://"), "{line:?}");
}

#[tokio::test]
async fn a_client_that_leaves_is_gone_whenever_it_leaves() {
    let begun = [ROLE, &token("one")].concat();
    let cases = [
        ("gone-before-the-headers", Script::silence(), None, None),
        ("gone-before-the-first-token", Script::stream().send(ROLE).hang(), None, None),
        ("gone-between-tokens", Script::stream().send(begun.clone()).hang(), Some("one"), Some("200")),
    ];
    for (id, script, sign, status) in cases {
        let mut upstream = Upstream::start(script).await;
        let proxy = Proxy::before(&upstream).await;
        let mut client = Client::connect(proxy.address).await;
        client.send(&request_with_id(id, &chat(true))).await;
        upstream.request().await;
        if let Some(sign) = sign {
            client.read_until(sign).await;
        }
        drop(client);
        let line = proxy.log_line(id).await;
        assert_eq!(line["outcome"], "client_gone", "{line:?}");
        assert_eq!(line.get("status").map(String::as_str), status, "{line:?}");
        assert_eq!(line.contains_key("time_to_first_token_seconds"), sign == Some("one"), "{line:?}");
        assert_eq!(line["provider"], "upstream");
        if sign == Some("one") {
            assert_eq!((line["frames"].as_str(), line["bytes"].clone()), ("2", begun.len().to_string()));
        }
    }
}

#[tokio::test]
async fn a_request_that_is_refused_is_rejected() {
    let upstream = Upstream::start(Script::answer(&["no"])).await;
    let proxy = Proxy::before(&upstream).await;
    for (path, body, status, error) in [
        ("/v1/chat/completions", "{", "400", "invalid_request"),
        ("/v1/chat/completions", "{}", "400", "invalid_request"),
        ("/nowhere", "{}", "404", "path_not_found"),
    ] {
        let line = line_of(&Reply::of(proxy.post(path, body).await).await).await;
        assert_eq!([&line["outcome"], &line["status"], &line["error"]], ["rejected", status, error], "{line:?}");
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_request_with_a_key_is_logged_under_the_name_of_the_key() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = Proxy::configured(&upstream, |config| {
        config.keys.push(key("alice", "wonderland"));
    })
    .await;
    let ask = async |key: &str| {
        let request = client().post(proxy.url("/v1/chat/completions")).bearer_auth(key);
        let request = request.header("content-type", "application/json").body(chat(true));
        line_of(&Reply::of(request.send().await.unwrap()).await).await
    };
    let known = ask("wonderland").await;
    assert_eq!((known["caller"].as_str(), known["outcome"].as_str()), ("alice", "completed"));
    let unknown = ask("looking-glass").await;
    assert_eq!([&unknown["outcome"], &unknown["status"], &unknown["error"]], ["rejected", "401", "invalid_api_key"]);
    assert!(!unknown.contains_key("caller"));
}

#[tokio::test]
async fn every_request_leaves_exactly_one_line() {
    let cue = Arc::new(Notify::new());
    let upstream = Upstream::in_turn([
        Script::answer(&["hi"]),
        Script::json("500 Oops", "{}"),
        Script::stream().send([ROLE, &token("one")].concat()).close(),
        Script::default().cue(&cue).append(Script::answer(&["late"])),
        Script::silence(),
        Script::stream().send([ROLE, &token("one")].concat()).hang(),
    ])
    .await;
    let proxy = Proxy::configured(&upstream, |config| {
        config.stream.commit_after = Duration::from_millis(100);
        config.retry.max_attempts = NonZeroU32::MIN;
    })
    .await;
    let mut ids = Vec::new();
    for number in 0..6 {
        let id = format!("once-{number}");
        let mut client = Client::connect(proxy.address).await;
        client.send(&request_with_id(&id, &chat(true))).await;
        client.read_until("\r\n\r\n").await;
        cue.notify_one();
        client.read_until(["[DONE]", "500", "error", "[DONE]", "keep-alive", "one"][number]).await;
        drop(client);
        proxy.log_line(&id).await;
        ids.push(id);
    }
    for id in ids {
        assert_eq!(logs::lines_of(&id).len(), 1, "{id}");
    }
}

/// What nobody may ever read in a log.
const CANARY: &str = "canary-7f3a";

/// Sends requests that carry canaries in every place there is, in every way a request can end.
async fn scatter_canaries(address: SocketAddr, key: &str) {
    let body =
        format!("{{\"model\":\"m\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"{CANARY}\"}}]}}");
    let bad = format!("{{\"model\":\"m\",\"stream\":\"{CANARY}\"");
    let paths = ["/v1/chat/completions", "/v1/completions", "/v1/moderations", "/v1/embeddings", "/nowhere"];
    for path in paths {
        for body in [&body, &body.replace("true", "false"), &bad] {
            let url = format!("http://{address}{path}?token={CANARY}");
            let request = client().post(url).bearer_auth(key).header("content-type", "application/json");
            let request = request.header("cookie", CANARY).header("x-custom", CANARY).body(body.clone());
            let _ = soon("a response", request.send()).await.unwrap().text().await;
        }
    }
}

/// Upstreams that answer, refuse and break, and repeat what they were told.
fn indiscreet_upstream(count: usize) -> impl Iterator<Item = Script> {
    let error = format!("{{\"error\":{{\"message\":\"{CANARY}\"}}}}");
    let scripts = [
        Script::answer(&[CANARY]),
        Script::json("400 Bad Request", &error),
        Script::response("500 Oops", &format!("x-debug: {CANARY}\r\n"), CANARY),
        Script::response("302 Found", &format!("location: http://127.0.0.1/{CANARY}\r\n"), ""),
        Script::response("200 OK", &format!("content-type: text/{CANARY}\r\n"), CANARY),
        Script::stream().send(token("one")).send(format!("data: {error}\n\n")).end(),
        Script::stream().send(token("one")).send(format!("error: {error}\n\n")).end(),
        Script::stream().send(token("one")).send(format!("data: {CANARY}")).close(),
        Script::raw(format!("{CANARY}\r\n\r\n")).close(),
    ];
    scripts.into_iter().cycle().take(count)
}

#[tokio::test]
async fn no_line_holds_a_prompt_an_answer_a_key_a_header_or_a_query() {
    let client_key = format!("client-{CANARY}");
    let upstream = Upstream::in_turn(indiscreet_upstream(100)).await;
    let proxy = Proxy::configured(&upstream, |config| {
        config.providers[0].api_key = Some(Secret::new(&format!("sk-{CANARY}")));
        config.providers[0].headers.insert("x-secret".to_owned(), Secret::new(&format!("header-{CANARY}")));
        config.keys.push(key("bird", &client_key));
    })
    .await;
    for _ in 0..3 {
        scatter_canaries(proxy.address, &client_key).await;
    }
    scatter_canaries(proxy.address, &format!("wrong-{CANARY}")).await;
    assert!(upstream.request_count() >= 9, "every script had its turn");
    drop(proxy);
    let lines = logs::all();
    assert!(
        lines.iter().any(|line| line.get("caller").is_some_and(|caller| caller == "bird")),
        "something was captured"
    );
    let leaks: Vec<_> = lines.iter().filter(|line| format!("{line:?}").contains(CANARY)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// The program before `upstream`, told to log everything, and where it listens.
async fn program_before(upstream: &Upstream, format: &str) -> (Program, SocketAddr) {
    let environment = [("SLUICEGATE__LOG__LEVEL", "trace"), ("SLUICEGATE__LOG__FORMAT", format)];
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--upstream", &upstream.url()];
    let program = Program::start(&arguments, &environment);
    let address = program.address().await;
    (program, address)
}

/// Everything that `program` has written, after it was told to end.
async fn log_of(mut program: Program) -> Vec<String> {
    program.signal("TERM");
    assert!(program.end().await.success());
    program.errors().lines().map(str::to_owned).collect()
}

/// Whatever the libraries below have to say must be as discreet.
#[tokio::test]
async fn the_program_writes_its_lines_to_standard_error_and_not_one_canary() {
    let upstream = Upstream::in_turn(indiscreet_upstream(100)).await;
    for format in ["json", "text"] {
        let (program, address) = program_before(&upstream, format).await;
        scatter_canaries(address, CANARY).await;
        let log = log_of(program).await;
        let leaks: Vec<_> = log.iter().filter(|line| line.contains(CANARY)).collect();
        assert!(leaks.is_empty(), "{leaks:#?}");
        let line = log.iter().find(|line| line.contains("completed")).unwrap();
        assert!(line.contains("/v1/") && line.contains("duration_seconds"), "{line}");
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((&line["status"], &line["outcome"]), (&200.into(), &"completed".into()));
        }
    }
}

#[tokio::test]
async fn a_client_can_neither_forge_a_line_nor_make_one_long() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let (program, address) = program_before(&upstream, "text").await;
    let model = format!("m\r\nINFO request outcome=\"forged\"\u{1b}[2J{}", "x".repeat(100_000));
    let body = serde_json::json!({ "model": model, "stream": true, "messages": [] }).to_string();
    let mut client = Client::connect(address).await;
    client.send(&request_with_id("the-forger", &body)).await;
    client.read_until("[DONE]").await;
    drop(client);
    let log = log_of(program).await;
    let line = log.iter().find(|line| line.contains("the-forger")).unwrap();
    assert!(line.contains("completed") && line.contains("forged") && line.len() < 1000, "{line:.2000}");
    assert!(log.iter().all(|line| !line.starts_with("INFO") && !line.contains('\u{1b}')), "{log:#?}");
}
