//! What providers are known to send and nobody has recorded.

use super::*;
use crate::canonical::{Annotation, FinishReason, Logprob, Text, ToolCall, ToolKind};

fn call(id: &str, name: &str, arguments: &str) -> Part {
    let [id, name, arguments] = [id, name, arguments].map(str::to_owned);
    Part::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
}

fn finish_of(choice: &str) -> (FinishReason, Option<String>, Option<String>) {
    let finish = read_choices(&[choice]).finish.unwrap();
    (finish.reason, finish.native.map(Into::into), finish.stop_sequence.map(Into::into))
}

#[test]
fn a_new_id_at_an_old_index_is_a_new_call() {
    let answer = read_deltas(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"","function":{"name":null,"arguments":"1}"}}]}"#,
    ]);
    assert_eq!(answer.parts, [call("a", "f", "{}"), call("b", "f", "{\"x\":1}")]);
}

#[test]
fn a_new_name_behind_whole_arguments_is_a_new_call() {
    let answer = read_deltas(&[
        r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"g","arguments":"{}"}}]}"#,
    ]);
    let names: Vec<_> =
        answer.parts.iter().map(|part| matches!(part, Part::ToolCall(call) if call.id.len() == 29)).collect();
    assert_eq!(names, [true, true]);
}

#[test]
fn ids_that_change_with_every_piece_are_those_of_one_call() {
    let answer = read_deltas(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"b","function":{"arguments":"}"}}]}"#,
    ]);
    assert_eq!(answer.parts, [call("a", "f", "{}")]);
}

#[test]
fn pieces_without_an_index_are_known_by_their_id_or_their_place() {
    let answer = read_deltas(&[
        r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}"#,
        r#"{"tool_calls":[{"function":{"arguments":"1"}}]}"#,
        r#"{"tool_calls":[{"id":"a","function":{"arguments":"}"}},{"id":"b","function":{"name":"g","arguments":"{}"}}]}"#,
    ]);
    assert_eq!(answer.parts, [call("a", "f", "{\"x\":1}"), call("b", "g", "{}")]);
}

#[test]
fn a_name_in_pieces_is_one_name() {
    let answer = read_deltas(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"get_"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"weather"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
    ]);
    assert_eq!(answer.parts, [call("a", "get_weather", "{}")]);
}

#[test]
fn woven_calls_are_taken_apart() {
    let answer = read_deltas(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}},{"index":1,"function":{"arguments":"2}"}}]}"#,
    ]);
    assert_eq!(answer.parts, [call("a", "f", "{\"x\":1}"), call("b", "g", "{\"y\":2}")]);
}

#[test]
fn arguments_may_be_the_object_itself() {
    let answer =
        read_deltas(&[r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":{"x":1.50}}}]}"#]);
    assert_eq!(answer.parts, [call("a", "f", "{\"x\":1.50}")]);
}

#[test]
fn the_elder_function_call_is_a_call() {
    let answer = read_choices(&[
        r#"{"index":0,"delta":{"function_call":{"name":"f","arguments":""}}}"#,
        r#"{"index":0,"delta":{"function_call":{"arguments":"{}"}}}"#,
        r#"{"index":0,"delta":{},"finish_reason":"function_call"}"#,
    ]);
    let [Part::ToolCall(call)] = &*answer.parts else { panic!("{:?}", answer.parts) };
    assert_eq!((&*call.name, &*call.arguments, call.id.len()), ("f", "{}", 29));
    assert_eq!(answer.finish.unwrap().reason, FinishReason::ToolCalls);
}

#[test]
fn a_tool_that_takes_text_is_called_with_text() {
    let answer = read_deltas(&[
        r#"{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"sh","input":"l"}}]}"#,
        r#"{"tool_calls":[{"index":0,"custom":{"input":"s"}}]}"#,
    ]);
    let [Part::ToolCall(call)] = &*answer.parts else { panic!("{:?}", answer.parts) };
    assert_eq!((&*call.name, &*call.arguments, call.kind), ("sh", "ls", ToolKind::Custom));
}

#[test]
fn what_is_said_twice_at_the_end_is_read_once() {
    let stream = concat!(
        r#"data: {"id":"a","model":"sonar","citations":["https://a"],"choices":[{"index":0,"delta":{"content":"Hi"},"message":{"content":"Hi"}}]}"#,
        "\r\n\r\n",
        r#"data: {"id":"a","model":"sonar","search_results":[{"title":"A","url":"https://a","date":"x"}],"object":"chat.completion.done","#,
        r#""choices":[{"index":0,"finish_reason":"stop","message":{"content":"Hi there"},"delta":{"content":" there"}}]}"#,
        "\r\n\r\n",
        r#"data: {"choices":[{"index":0,"message":{"content":"Hi there"}}]}"#,
        "\r\n\r\n",
    );
    let source = Annotation { url: Some("https://a".into()), title: Some("A".into()), ..Annotation::default() };
    let text = Text { text: "Hi there".into(), annotations: vec![source], ..Text::default() };
    assert_eq!(read_stream(stream).0.parts, [Part::Text(text)]);
}

#[test]
fn refusals_are_no_text() {
    let answer = read_deltas(&[r#"{"content":"Well"}"#, r#"{"refusal":"I can"}"#, r#"{"refusal":"not."}"#]);
    assert_eq!(answer.parts, [Part::text("Well"), Part::Refusal("I cannot.".to_owned())]);
}

#[test]
fn probabilities_come_with_their_text() {
    let answer = read_choices(&[
        concat!(
            r#"{"index":0,"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"#,
            r#""top_logprobs":[{"token":"Ho","logprob":-1.5,"bytes":null}]}],"refusal":null}}"#,
        ),
        r#"{"index":0,"delta":{"content":"!"},"logprobs":null}"#,
    ]);
    let [Part::Text(text)] = &*answer.parts else { panic!("{:?}", answer.parts) };
    let other = Logprob { token: "Ho".into(), logprob: -1.5, ..Logprob::default() };
    let token = Logprob { token: "Hi".into(), logprob: -0.5, bytes: Some(vec![72, 105]), top: vec![other] };
    assert_eq!((&*text.text, &*text.logprobs), ("Hi!", &[token][..]));
}

#[test]
fn probabilities_of_what_is_no_text_open_no_text() {
    let chunk = |delta: &str, logprobs: &str| format!(r#"{{"index":0,"delta":{delta},"logprobs":{logprobs}}}"#);
    let token = r#"[{"token":"x","logprob":-1.0}]"#;
    let thinking = chunk(r#"{"reasoning":"x"}"#, &format!("{{\"content\":{token}}}"));
    let refusing = chunk(r#"{"refusal":"x"}"#, &format!("{{\"content\":null,\"refusal\":{token}}}"));
    let stream = [thinking, refusing].map(|choice| format!("data: {{\"choices\":[{choice}]}}\n\n")).concat();
    let (answer, unmapped) = read_stream(&stream);
    let thought = Part::Reasoning { text: "x".to_owned(), seal: None };
    assert_eq!(answer.parts, [thought, Part::Refusal("x".to_owned())]);
    assert_eq!(unmapped, ["logprobs.refusal"]);
}

#[test]
fn thoughts_in_several_fields_are_read_once() {
    let answer = read_deltas(&[
        r#"{"reasoning_content":"a","reasoning":"a"}"#,
        r#"{"reasoning":"b","reasoning_details":[{"type":"reasoning.summary","summary":"b","index":0}]}"#,
        r#"{"reasoning":"","reasoning_content":null,"content":"c"}"#,
    ]);
    assert_eq!(answer.parts, [Part::Reasoning { text: "ab".to_owned(), seal: None }, Part::text("c")]);
}

#[test]
fn marks_are_kept_each_with_what_it_is_on() {
    let answer = read_deltas(&[
        r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"s","format":"openai-responses-v1","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"E1","id":"rs_1","format":"openai-responses-v1","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"E2","index":1}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"E3","id":"c","index":2}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
    ]);
    let marks = answer.parts.iter().map(|part| match part {
        Part::Reasoning { text, seal } => (&**text, &*seal.as_ref().unwrap().data),
        Part::ToolCall(call) => (&*call.arguments, &*call.seal.as_ref().unwrap().data),
        other => panic!("{other:?}"),
    });
    let marks: Vec<_> = marks.collect();
    let summary = r#"{"type":"reasoning.summary","format":"openai-responses-v1","index":0}"#;
    let first = r#"{"type":"reasoning.encrypted","data":"E1","id":"rs_1","format":"openai-responses-v1","index":0}"#;
    assert_eq!(
        marks,
        [
            ("s", &*format!("[{summary},{first}]")),
            ("", r#"[{"type":"reasoning.encrypted","data":"E2","index":1}]"#),
            ("{}", r#"[{"type":"reasoning.encrypted","data":"E3","id":"c","index":2}]"#),
        ]
    );
}

#[test]
fn a_second_mark_on_a_call_waits_for_its_end() {
    let answer = read_deltas(&[
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"},"extra_content":{"google":{"thought_signature":"G"}}}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"late"}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#,
    ]);
    let [Part::ToolCall(call), Part::Reasoning { seal: Some(late), .. }] = &*answer.parts else {
        panic!("{:?}", answer.parts)
    };
    assert_eq!(call.arguments, "{}");
    let mark = r#"{"extra_content":{"google":{"thought_signature":"G"}}}"#;
    assert_eq!(call.seal.as_ref().unwrap().data, mark);
    assert_eq!(late.data, r#"[{"type":"reasoning.encrypted","data":"late"}]"#);
}

#[test]
fn reasons_to_stop_are_read_in_many_words() {
    let choice = |rest: &str| finish_of(&format!(r#"{{"index":0,"delta":{{"content":"x"}},{rest}}}"#));
    let native = |word: &str| Some(word.to_owned());
    assert_eq!(choice(r#""finish_reason":"length""#), (FinishReason::Length, native("length"), None));
    assert_eq!(choice(r#""finish_reason":"model_length""#).0, FinishReason::ContextFull);
    assert_eq!(choice(r#""finish_reason":"content_filter""#).0, FinishReason::Refusal);
    assert_eq!(choice(r#""finish_reason":"eos""#).0, FinishReason::Stop);
    assert_eq!(choice(r#""finish_reason":"abort""#), (FinishReason::Other, native("abort"), None));
    assert_eq!(choice(r#""finish_reason":"""#), (FinishReason::Stop, None, None));
    assert_eq!(
        choice(r#""finish_reason":"stop","native_finish_reason":"STOP""#),
        (FinishReason::Stop, native("STOP"), None)
    );
    assert_eq!(
        choice(r#""finish_reason":"error","native_finish_reason":"MALFORMED_FUNCTION_CALL""#).0,
        FinishReason::MalformedToolCall
    );
    let stopped = (FinishReason::StopSequence, native("stop"), native("###"));
    assert_eq!(choice(r####""finish_reason":"stop","stop_reason":"###""####), stopped);
    assert_eq!(choice(r####""finish_reason":"stop","matched_stop":"###""####), stopped);
    assert_eq!(choice(r#""finish_reason":"stop","stop_reason":151645"#).0, FinishReason::Stop);
    assert_eq!(choice(r#""finish_reason":"stop","stop_reason":"end_turn""#).0, FinishReason::Stop);
}

#[test]
fn usage_is_read_in_every_place() {
    let usage = |chunk: &str| read_stream(&format!("data: {chunk}\n\n")).0.usage.unwrap();
    let cached =
        usage(r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1,"prompt_cache_hit_tokens":4}}"#);
    assert_eq!((cached.input_tokens, cached.cached_input_tokens), (7, 4));
    assert_eq!(usage(r#"{"choices":[],"usage":{"prompt_tokens":7,"cached_tokens":5}}"#).cached_input_tokens, 5);
    let written =
        usage(r#"{"usage":{"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":1,"cache_write_tokens":2}}}"#);
    assert_eq!((written.cached_input_tokens, written.cache_write_input_tokens), (1, 2));
    let groq = usage(r#"{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":3,"completion_tokens":4}}}"#);
    assert_eq!((groq.input_tokens, groq.output_tokens), (3, 4));
}

#[test]
fn what_has_no_place_is_named() {
    let stream = concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":[{"type":"reference","reference_ids":[1]},{"type":"text","text":"x"}]}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"images":[{"type":"image_url"}],"audio":{"id":"a"}}}]}"#,
        "\n\n",
    );
    let (answer, unmapped) = read_stream(stream);
    assert_eq!(answer.text(), "x");
    assert_eq!(unmapped, ["content.reference", "audio", "image"]);
}

#[test]
fn only_the_first_choice_is_read_and_garbage_costs_nothing() {
    let stream = concat!(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"z\"}}]}\n\n",
        "data: nonsense\n\ndata: [DONE]\n\ndata: {\"error\":{\"message\":\"no\"}}\n\n: comment\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\",\"annotations\":7,\"reasoning\":{\"x\":1}},\"logprobs\":\"?\"}]}\n\n",
    );
    assert_eq!(read_stream(stream).0.parts, [Part::text("ab")]);
}

#[test]
fn an_answer_that_did_not_stream_says_all_that_a_stream_can() {
    let answer = read_whole(
        r#"
        {"id":"x","model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{
            "role":"assistant","content":"Text","refusal":null,"reasoning":"ab",
            "reasoning_details":[{"type":"reasoning.text","text":"a","signature":"S1","index":0},
                                 {"type":"reasoning.text","text":"b","signature":"S2","index":1}],
            "annotations":[{"type":"url_citation","url_citation":{"url":"https://u","title":"T","start_index":1,"end_index":3}}],
            "tool_calls":[{"id":"","type":"function","function":{"name":"f","arguments":"{}"}},
                          {"id":"","type":"function","function":{"name":"f","arguments":"{}"}}]}}],
         "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
    );
    let kinds = answer.parts.iter().map(|part| match part {
        Part::Reasoning { text, seal } => format!("{text} {}", seal.as_ref().unwrap().data),
        Part::Text(text) => format!("{} {:?}", text.text, text.annotations[0].span),
        Part::ToolCall(call) => format!("{} {}", call.name, call.arguments),
        other => panic!("{other:?}"),
    });
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        [
            r#"a [{"type":"reasoning.text","signature":"S1","index":0}]"#,
            r#"b [{"type":"reasoning.text","signature":"S2","index":1}]"#,
            "Text Some((1, 3))",
            "f {}",
            "f {}",
        ]
    );
    assert_eq!(answer.usage.unwrap().output_tokens, 2);
}

#[test]
fn what_is_no_answer_is_not_read() {
    for body in ["[]", "{}", "{\"choices\":[]}", "x", "{\"object\":\"list\",\"data\":[]}"] {
        assert!(read_answer(&OpenAiChat, "p", "a", body.as_bytes()).is_err(), "{body}");
    }
}
