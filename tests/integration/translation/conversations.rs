//! A conversation goes on: what a client sends back of a translated answer is understood, by whoever is asked next.

use serde_json::Value;
use sluicegate::canonical::{ChatRequest, Field, Losses, Part, Role};
use sluicegate::dialect::{Dialect, Quirks, Recipient, Shape};

use super::{answers, assert_none};
use crate::support::grammar::check_request;
use crate::support::told::next_request;
use crate::support::translation::{PROVIDER, Source, all, context, targets};

/// Answers of which all is told, to every client that speaks something else; with the request that client goes on with.
fn conversations() -> impl Iterator<Item = (Source, &'static dyn Dialect, String)> {
    let is_whole = |source: &Source| source.told().calls.iter().all(|call| call.object().is_some());
    let whole = answers().filter(move |source| source.error().is_none() && is_whole(source));
    whole.flat_map(|source| {
        let targets: Vec<_> =
            targets().filter(|(to, shape)| *to != source.dialect && *shape == Shape::Chat).map(|(to, _)| to).collect();
        targets.into_iter().map(move |to| {
            let out = String::from_utf8(source.translate(to, &context(), [&source.stream[..]])).unwrap();
            let request = next_request(to.name(), &out).to_string();
            (Source::new(&source.file, source.dialect, source.stream.clone()), to, request)
        })
    })
}

fn ask(request: &ChatRequest, to: &dyn Dialect, provider: &str) -> String {
    let name = |_: Field| "field";
    let recipient = Recipient { model: "their-model", provider, quirks: &Quirks::NONE };
    let body = to.encode_request(request, &recipient, &mut Losses::new(&name));
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn what_a_client_sends_back_is_what_was_said_and_anyone_may_be_asked_to_go_on() {
    let mut faults = Vec::new();
    for (source, client, body) in conversations() {
        let what = format!("{} back from {}", source.file, client.name());
        let request = match client.decode_request(Shape::Chat, body.as_bytes()) {
            Ok(request) => request,
            Err(error) => {
                faults.push(format!("{what}: {error:?}: {body:.900}"));
                continue;
            }
        };
        if !request.unmapped.is_empty() {
            faults.push(format!("{what}: {:?}", request.unmapped));
        }
        let told = source.told();
        let (calls, results) = counts(&request);
        if calls != told.calls.len() || results != calls {
            faults.push(format!("{what}: {calls} calls, {results} results of {}", told.calls.len()));
        }
        for to in all() {
            if let Err(fault) = check_request(to.name(), &ask(&request, to, PROVIDER)) {
                faults.push(format!("{what} to {}: {fault:.900}", to.name()));
            }
        }
    }
    assert_none(&faults);
}

/// The calls in a conversation, and the results that belong to one of them.
fn counts(request: &ChatRequest) -> (usize, usize) {
    let parts = || request.messages.iter().flat_map(|message| message.parts.iter().map(|part| (message.role, part)));
    let called: Vec<&str> = parts()
        .filter_map(|(role, part)| match part {
            Part::ToolCall(call) if role == Role::Assistant => Some(&*call.id),
            _ => None,
        })
        .collect();
    let answered = parts().filter(|(_, part)| match part {
        Part::ToolResult(result) => called.contains(&&*result.call_id),
        _ => false,
    });
    (called.len(), answered.count())
}

/// Answers with marks of their providers that these want to see again, and where the marks are.
const SEALED: [(&str, &[&str]); 7] = [
    ("anthropic/thinking-then-tool.sse", &["signature"]),
    ("anthropic/redacted-thinking.sse", &["data"]),
    ("openai-responses/reasoning-encrypted-content.sse", &["encrypted_content"]),
    ("openai-responses/gpt5nano-tool-noargs.sse", &["encrypted_content"]),
    ("gemini/vertex-tool-call.sse", &["thoughtSignature"]),
    ("gemini/tool-call-thought-signature.sse", &["thoughtSignature"]),
    ("openai-chat/openrouter-reasoning-details-with-tool-call.sse", &["signature", "data"]),
];

/// The texts in `value` that are called one of `names`.
fn marks(value: &Value, names: &[&str], found: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        if let Some(mark) = value.as_str().filter(|mark| mark.len() > 20 && names.contains(&&**name)) {
            found.push(mark.to_owned());
        }
        marks(value, names, found);
    }
    value.as_array().into_iter().flatten().for_each(|value| marks(value, names, found));
}

#[test]
fn a_providers_mark_comes_back_to_it_through_any_client_and_to_nobody_else() {
    let mut faults = Vec::new();
    for (source, client, body) in conversations() {
        let Some((file, names)) = SEALED.iter().find(|(file, _)| *file == source.file) else { continue };
        // Ollama's messages have no place for one.
        let is_lost = client.name() == "ollama";
        let again = next_request(source.dialect.name(), std::str::from_utf8(&source.stream).unwrap());
        let mut expected = Vec::new();
        marks(&again, names, &mut expected);
        assert!(!expected.is_empty(), "{file}");
        let request = client.decode_request(Shape::Chat, body.as_bytes()).unwrap();
        let home = ask(&request, source.dialect, PROVIDER);
        for mark in &expected {
            if !is_lost && !home.contains(&**mark) {
                faults.push(format!("{file} through {}: {mark:.40}… is not in {home:.2000}", client.name()));
            }
        }
        for (to, provider) in all().map(|to| (to, "another")) {
            let elsewhere = ask(&request, to, provider);
            if let Some(mark) = expected.iter().find(|mark| elsewhere.contains(&***mark)) {
                faults.push(format!("{file} through {} to another {}: {mark:.40}…", client.name(), to.name()));
            }
            if elsewhere.contains("sg1.") {
                faults.push(format!("{file} through {}: a token for {}", client.name(), to.name()));
            }
        }
    }
    assert_none(&faults);
}
