//! How conversations are written.

use serde_json::{Value, json};

use super::{encode_for, lost, seal};
use crate::canonical::{ChatRequest, Media, Message, Part, Role, Source, ToolCall, ToolKind, ToolResult, Weight};

fn encode(messages: Vec<Message>) -> (Value, Vec<(String, Weight)>) {
    let request = ChatRequest { messages, ..ChatRequest::default() };
    let (body, losses) = encode_for("claude-sonnet-4-5", &request);
    let losses = lost(&losses).into_iter().map(|(param, weight)| (param.to_owned(), weight)).collect();
    (body, losses)
}

/// What is written of messages of which nothing is lost.
fn kept(messages: Vec<Message>) -> Value {
    let (body, losses) = encode(messages);
    assert_eq!(losses, []);
    body["messages"].clone()
}

fn user(parts: Vec<Part>) -> Message {
    Message { role: Role::User, parts }
}

fn model(parts: Vec<Part>) -> Message {
    Message { role: Role::Assistant, parts }
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), ..ToolCall::default() })
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult { call_id: id.into(), parts: vec![Part::text(text)], ..ToolResult::default() })
}

fn hint(count: usize) -> Vec<(String, Weight)> {
    vec![("messages".to_owned(), Weight::Hint); count]
}

#[test]
fn instructions_at_the_beginning_are_one_text_and_later_ones_stay_where_they_stand() {
    let (body, losses) = encode(vec![
        Message::text(Role::System, "One."),
        Message::text(Role::Developer, "Two."),
        Message::text(Role::User, "Hi"),
        Message::text(Role::Developer, "Three."),
        Message::text(Role::User, "Go"),
    ]);
    assert_eq!(body["system"], "One.\n\nTwo.");
    let blocks = json!([
        { "type": "text", "text": "Hi" },
        { "type": "text", "text": "<system>\nThree.\n</system>" },
        { "type": "text", "text": "Go" },
    ]);
    assert_eq!(body["messages"], json!([{ "role": "user", "content": blocks }]));
    assert_eq!(losses, hint(1));
}

#[test]
fn instructions_alone_are_told_by_a_user() {
    let (body, losses) = encode(vec![Message::text(Role::System, "Say hi.")]);
    assert_eq!(body["messages"], json!([{ "role": "user", "content": [{ "type": "text", "text": "Say hi." }] }]));
    assert_eq!((body.get("system"), losses), (None, hint(1)));
}

#[test]
fn who_speaks_twice_speaks_once_and_empty_words_are_none() {
    let messages = kept(vec![
        Message::text(Role::User, "a"),
        Message::text(Role::Assistant, ""),
        Message::text(Role::User, " \n"),
        user(vec![Part::text("b")]),
        model(vec![Part::text("c"), Part::Refusal("d".into())]),
        Message::text(Role::Assistant, "e "),
    ]);
    let text = |text: &str| json!({ "type": "text", "text": text });
    let expected = json!([
        { "role": "user", "content": [text("a"), text("b")] },
        // A model refuses to go on behind white space.
        { "role": "assistant", "content": [text("c"), text("d"), text("e")] },
    ]);
    assert_eq!(messages, expected);
}

#[test]
fn results_stand_first_in_the_turn_behind_their_calls() {
    let messages = kept(vec![
        user(vec![Part::text("Hi")]),
        model(vec![call("a", "f", "{\"x\": 1}"), call("functions.g:1", "g", "")]),
        user(vec![Part::text("Here.")]),
        user(vec![result("functions.g:1", "2")]),
        user(vec![Part::ToolResult(ToolResult { call_id: "a".into(), is_error: true, ..ToolResult::default() })]),
    ]);
    let made = messages[1]["content"][1]["id"].clone();
    assert!(made.as_str().unwrap().starts_with("toolu_"));
    let calls = json!([
        { "type": "tool_use", "id": "a", "name": "f", "input": { "x": 1 } },
        { "type": "tool_use", "id": made, "name": "g", "input": {} },
    ]);
    let said = json!([
        { "type": "tool_result", "tool_use_id": made, "content": "2" },
        { "type": "tool_result", "tool_use_id": "a", "is_error": true },
        { "type": "text", "text": "Here." },
    ]);
    assert_eq!((&messages[1]["content"], &messages[2]["content"]), (&calls, &said));
}

#[test]
fn a_result_may_show_a_picture() {
    let parts = vec![Part::text("see"), Part::Image(Media::from_data("iVBORw0KGgo=", "image/png"))];
    let answered = Part::ToolResult(ToolResult { call_id: "a".into(), parts, ..ToolResult::default() });
    let messages = kept(vec![user(vec![Part::text("Hi")]), model(vec![call("a", "f", "{}")]), user(vec![answered])]);
    let picture =
        json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } });
    assert_eq!(messages[2]["content"][0]["content"], json!([{ "type": "text", "text": "see" }, picture]));
}

#[test]
fn a_call_without_a_result_is_told_to_have_failed() {
    let (body, losses) = encode(vec![
        user(vec![Part::text("Hi")]),
        model(vec![call("a", "f", "{}"), call("b", "f", "{}")]),
        user(vec![result("b", "1"), Part::text("Go on")]),
    ]);
    let said = json!([
        { "type": "tool_result", "tool_use_id": "b", "content": "1" },
        { "type": "tool_result", "tool_use_id": "a", "content": "There is no result.", "is_error": true },
        { "type": "text", "text": "Go on" },
    ]);
    assert_eq!((&body["messages"][2]["content"], losses), (&said, hint(1)));
}

#[test]
fn a_result_without_a_call_is_told_in_words() {
    let (body, losses) = encode(vec![user(vec![Part::text("Hi"), result("gone", "1")])]);
    let said = json!([{ "type": "text", "text": "Hi" }, { "type": "text", "text": "1" }]);
    assert_eq!((&body["messages"][0]["content"], losses), (&said, hint(1)));
}

#[test]
fn results_that_do_not_say_what_they_answer_answer_in_order_or_by_name() {
    let nameless = |name: Option<&str>, text: &str| {
        let name = name.map(str::to_owned);
        Part::ToolResult(ToolResult { name, parts: vec![Part::text(text)], ..ToolResult::default() })
    };
    let messages = kept(vec![
        user(vec![Part::text("Hi")]),
        model(vec![call("", "f", "{}"), call("", "g", "{}"), call("", "f", "{}")]),
        user(vec![nameless(Some("g"), "2"), nameless(None, "1"), nameless(None, "3")]),
    ]);
    let id = |turn: usize, at: usize, name: &str| messages[turn]["content"][at][name].clone();
    assert_eq!(id(2, 0, "tool_use_id"), id(1, 1, "id"));
    assert_eq!(id(2, 1, "tool_use_id"), id(1, 0, "id"));
    assert_eq!(id(2, 2, "tool_use_id"), id(1, 2, "id"));
}

#[test]
fn a_name_that_is_given_twice_is_made_another() {
    let turn = |text: &str| [model(vec![call("call_0", "f", "{}")]), user(vec![result("call_0", text)])];
    let messages = kept([vec![user(vec![Part::text("Hi")])], turn("1").to_vec(), turn("2").to_vec()].concat());
    assert_eq!(messages[1]["content"][0]["id"], "call_0");
    assert_ne!(messages[3]["content"][0]["id"], "call_0");
    assert_eq!(messages[3]["content"][0]["id"], messages[4]["content"][0]["tool_use_id"]);
}

#[test]
fn thoughts_are_shown_to_whom_they_belong() {
    let foreign = crate::canonical::Seal { provider: "another".into(), ..seal("sig") };
    let (body, losses) = encode(vec![
        user(vec![Part::text("Hi")]),
        model(vec![
            Part::Reasoning { text: "a".into(), seal: Some(seal("sig")) },
            Part::Reasoning { text: String::new(), seal: Some(seal("redacted:data")) },
            Part::Reasoning { text: "b".into(), seal: Some(foreign) },
            Part::Reasoning { text: "c".into(), seal: None },
            Part::text("d"),
        ]),
        user(vec![Part::text("Go")]),
    ]);
    let said = json!([
        { "type": "thinking", "thinking": "a", "signature": "sig" },
        { "type": "redacted_thinking", "data": "data" },
        { "type": "text", "text": "d" },
    ]);
    assert_eq!((&body["messages"][1]["content"], losses), (&said, hint(1)));
}

#[test]
fn an_input_that_is_no_object_is_put_into_one() {
    let custom = Part::ToolCall(ToolCall {
        kind: ToolKind::Custom,
        arguments: "{}".into(),
        id: "a".into(),
        ..ToolCall::default()
    });
    let messages = kept(vec![user(vec![Part::text("Hi")]), model(vec![custom, call("b", "f", "{\"x")])]);
    assert_eq!(messages[1]["content"][0]["input"], json!({ "input": "{}" }));
    assert_eq!(messages[1]["content"][1]["input"], json!({ "input": "{\"x" }));
}

#[test]
fn pictures_and_documents_are_shown_where_they_can_be() {
    let media = |source: Source, media_type: Option<&str>| Media {
        source,
        media_type: media_type.map(str::to_owned),
        name: Some("n".into()),
        detail: None,
    };
    let data = |data: &str| Source::Data(data.to_owned());
    let messages = kept(vec![user(vec![
        Part::Image(Media::from_url("https://a.b/c.png")),
        Part::Image(Media::from_data("x", "image/jpg")),
        Part::Image(media(data("UklGRgbc"), None)),
        Part::File(media(data("JVBERi0x"), None)),
        Part::File(media(Source::Url("https://a.b/c.pdf".into()), None)),
        Part::File(media(data("w6k="), Some("text/markdown"))),
    ])]);
    let picture = |media_type: &str, data: &str| json!({ "type": "image", "source": { "type": "base64", "media_type": media_type, "data": data } });
    let expected = json!([
        { "type": "image", "source": { "type": "url", "url": "https://a.b/c.png" } },
        picture("image/jpeg", "x"),
        picture("image/webp", "UklGRgbc"),
        { "type": "document", "source": { "type": "base64", "media_type": "application/pdf", "data": "JVBERi0x" }, "title": "n" },
        { "type": "document", "source": { "type": "url", "url": "https://a.b/c.pdf" }, "title": "n" },
        { "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "é" }, "title": "n" },
    ]);
    assert_eq!(messages[0]["content"], expected);
}

#[test]
fn what_cannot_be_shown_changes_what_is_asked() {
    let media = |source, media_type: Option<&str>| Media {
        source,
        media_type: media_type.map(str::to_owned),
        name: None,
        detail: None,
    };
    for part in [
        Part::Image(media(Source::Data("PHN2Zz4=".into()), Some("image/svg+xml"))),
        Part::Image(media(Source::Data("????".into()), None)),
        Part::Image(media(Source::Url("gs://a/b".into()), None)),
        Part::Image(media(Source::Id("file-1".into()), None)),
        Part::File(media(Source::Data("x".into()), Some("application/zip"))),
        Part::File(media(Source::Data("/w==".into()), Some("text/plain"))),
        Part::Audio(media(Source::Data("x".into()), Some("audio/wav"))),
    ] {
        let (body, losses) = encode(vec![user(vec![part.clone(), Part::text("Hi")])]);
        assert_eq!(losses, [("messages".to_owned(), Weight::Meaning)], "{part:?}");
        assert_eq!(body["messages"][0]["content"], json!([{ "type": "text", "text": "Hi" }]));
    }
    let closely = Part::Image(Media { detail: Some("high".into()), ..Media::from_url("https://a.b") });
    assert_eq!(encode(vec![user(vec![closely])]).1, hint(1));
}
