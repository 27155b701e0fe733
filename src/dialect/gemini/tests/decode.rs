//! What is read of recorded streams, compared with what they say.

use serde_json::Value;

use super::{answer, chunk, events, fixture, objects};
use crate::canonical::{Annotation, ChatAnswer, FinishReason, Part};
use crate::dialect::transcoder::read_answer;

fn thoughts(answer: &ChatAnswer) -> String {
    let thoughts = answer.parts.iter().filter_map(|part| match part {
        Part::Reasoning { text, .. } => Some(&**text),
        _ => None,
    });
    thoughts.collect()
}

/// The text, the thoughts and the calls in a stream, by looking for them.
fn said(stream: &str, thought: bool) -> String {
    let chunks = objects(stream.as_bytes());
    let parts =
        chunks.iter().flat_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array().into_iter().flatten());
    parts.filter(|part| (part["thought"] == true) == thought).filter_map(|part| part["text"].as_str()).collect()
}

#[test]
fn text_and_thoughts_are_what_every_recorded_stream_says() {
    for name in [
        "text-crlf",
        "thinking-long",
        "token-accounting-thoughts",
        "text-after-signature",
        "signature-on-text",
        "gemini3-text-signature-empty-text",
        "code-execution",
        "url-context",
        "file-search-grounding",
        "structured-output-builtin-tools",
        "structured-output-with-tools-2",
        "vertex-service-tier-flex",
    ] {
        let stream = fixture(&format!("{name}.sse"));
        let answer = answer(stream);
        assert_eq!(answer.text(), said(stream, false), "{name}");
        assert_eq!(thoughts(&answer), said(stream, true), "{name}");
        assert_eq!(answer.finish.unwrap().reason, FinishReason::Stop, "{name}");
    }
}

#[test]
fn a_stream_is_told_as_it_comes() {
    let told = events(fixture("text-crlf.sse"));
    let start = "Start { id: Some(\"w1peaMz6INOvnvgPgYfPiQY\"), model: Some(\"gemini-2.0-flash-exp\"), created: None }";
    assert_eq!(told[0], start);
    assert_eq!(told[1], "Text { text: \"The\", logprobs: [] }");
    assert!(told[2].starts_with("Usage("));
    assert_eq!(told[3], "Text { text: \" capital of France\", logprobs: [] }");
    assert_eq!(
        told[told.len() - 2],
        "Finish(Finish { reason: Stop, native: Some(\"STOP\"), stop_sequence: None, explanation: None })"
    );
}

#[test]
fn a_call_is_told_whole_and_its_mark_stands_before_its_arguments() {
    let told = events(fixture("vertex-tool-call.sse"));
    assert_eq!(told[1], "ToolCall { key: 0, id: None, name: \"weather\", kind: Function }");
    assert!(told[2].starts_with("Seal(\"CiwBjz1rX7BKwi0Yqw"), "{told:?}");
    assert_eq!(told[3], r#"Arguments { key: 0, fragment: "{\"latitude\":\"52.5200\",\"longitude\":\"13.4050\"}" }"#);
    assert_eq!(told[4], "Boundary");
}

#[test]
fn calls_and_their_marks_are_those_of_the_recordings() {
    for (name, tool, arguments, is_sealed) in [
        ("tool-call.sse", "get_capital", r#"{"country":"France"}"#, false),
        ("tool-call-thought-signature.sse", "get_country", "{}", true),
        ("gemini3-tool-calls.sse", "weather", r#"{"location":"San Francisco"}"#, true),
    ] {
        let answer = answer(fixture(name));
        let [Part::ToolCall(call)] = &*answer.parts else { panic!("{name}: {:?}", answer.parts) };
        assert_eq!((&*call.name, &*call.arguments, call.seal.is_some()), (tool, arguments, is_sealed), "{name}");
        assert!(call.id.starts_with("call_"));
        assert_eq!(answer.finish.unwrap().reason, FinishReason::ToolCalls);
    }
}

#[test]
fn a_mark_on_an_empty_text_is_on_the_text_before_it() {
    let answer = answer(fixture("gemini3-text-signature-empty-text.sse"));
    let [Part::Text(text)] = &*answer.parts else { panic!("{:?}", answer.parts) };
    let seal = text.seal.as_ref().unwrap();
    assert_eq!((&*seal.dialect, &*seal.provider), ("gemini", "google"));
    assert!(seal.data.starts_with("EqsFCqgFAb4+9vvtAF5n87lB4OGDOoTRMOqp35jW65XsYXh6"));
}

#[test]
fn arguments_that_come_value_by_value_are_put_together() {
    let nested = answer(fixture("partial-args-nested-vertex.sse"));
    let [Part::ToolCall(call)] = &*nested.parts else { panic!("{:?}", nested.parts) };
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
    assert_eq!(call.name, "cookRecipe");
    assert_eq!(arguments["recipe"]["name"], "Lasagna");
    assert_eq!(arguments["recipe"]["ingredients"][0]["name"], "Lasagna noodles");
    assert_eq!(arguments["recipe"]["ingredients"].as_array().unwrap().len(), 10);
    assert_eq!(
        arguments["recipe"]["steps"][1],
        "Cook lasagna noodles according to package directions, drain and set aside."
    );
    assert!(call.seal.as_ref().unwrap().data.starts_with("CmIBjz1rX0"));
    assert_eq!(nested.usage.unwrap().output_tokens, 684 + 1026);
}

#[test]
fn a_call_whose_end_is_missing_ends_with_what_comes_behind_it_or_with_the_stream() {
    let expected = r#"{"operations":[{"action":"add","description":"Fresh red apple","itemid":"apple_001","price":0.5},{"action":"add","description":"Ripe yellow banana","itemid":"banana_001","price":0.3}]}"#;
    let recorded = fixture("partial-args-missing-terminal.sse");
    let cut = recorded.replace(r#""numberValue":0.3}]}"#, r#""numberValue":0.3}],"willContinue":true}"#);
    let (unended, _) = cut.split_at(cut.rfind("data: ").unwrap());
    for stream in [recorded, &cut, unended] {
        let answer = answer(stream);
        let [Part::ToolCall(call)] = &*answer.parts else { panic!("{:?}", answer.parts) };
        assert_eq!((&*call.name, &*call.arguments), ("writeItems", expected));
        assert_eq!(answer.finish.unwrap().reason, FinishReason::ToolCalls);
    }
}

#[test]
fn what_google_ran_itself_is_named_and_not_told() {
    let kinds = |name: &str| {
        events(fixture(name)).into_iter().filter(|event| event.starts_with("Unmapped")).collect::<Vec<_>>()
    };
    assert_eq!(kinds("code-execution.sse"), ["Unmapped(\"executableCode\")", "Unmapped(\"codeExecutionResult\")"]);
    assert_eq!(kinds("file-search-grounding.sse"), ["Unmapped(\"toolCall\")", "Unmapped(\"toolResponse\")"]);
    assert!(kinds("text-crlf.sse").is_empty());
}

#[test]
fn sources_are_told_with_their_places_in_characters() {
    let text = |name| match answer(fixture(name)).parts.remove(0) {
        Part::Text(text) => text,
        other => panic!("{other:?}"),
    };
    let page = Annotation {
        url: Some("https://ai.pydantic.dev".into()),
        title: Some("Pydantic AI".into()),
        cited_text: None,
        span: Some((0, 37)),
    };
    assert_eq!(text("url-context.sse").annotations, [page]);
    let found = text("structured-output-builtin-tools.sse").annotations;
    assert_eq!((found.len(), found[0].title.as_deref(), found[0].span), (4, Some("sa.gov"), Some((0, 50))));
    let accents = r#"{"candidates":[{"content":{"parts":[{"text":"Où ça? Là."}]},"groundingMetadata":{"groundingChunks":[{"web":{"uri":"u"}}],"groundingSupports":[{"segment":{"startIndex":9,"endIndex":13},"groundingChunkIndices":[0,7]}]}}]}"#;
    let Part::Text(accented) = answer(&chunk(accents)).parts.remove(0) else { panic!() };
    let [Annotation { span: Some((start, end)), .. }] = &*accented.annotations else { panic!("{accented:?}") };
    assert_eq!(accented.text.chars().skip(*start as usize).take((end - start) as usize).collect::<String>(), "Là.");
}

#[test]
fn elder_citations_and_sources_without_a_place_are_sources_too() {
    let cited = r#"{"candidates":[{"content":{"parts":[{"text":"abc"}]},"citationMetadata":{"citationSources":[{"startIndex":1,"endIndex":2,"uri":"u"}]},"groundingMetadata":{"groundingChunks":[{"web":{"title":"t"}}]}}]}"#;
    let Part::Text(text) = answer(&chunk(cited)).parts.remove(0) else { panic!() };
    let place = |annotation: &Annotation| (annotation.url.clone(), annotation.title.clone(), annotation.span);
    assert_eq!(place(&text.annotations[0]), (None, Some("t".into()), None));
    assert_eq!(place(&text.annotations[1]), (Some("u".into()), None, Some((1, 2))));
}

#[test]
fn every_end_has_its_reason() {
    let finish = |json: &str| answer(&chunk(json)).finish.unwrap();
    let of = |word: &str| finish(&format!(r#"{{"candidates":[{{"finishReason":"{word}","finishMessage":"why"}}]}}"#));
    for (word, reason) in [
        ("MAX_TOKENS", FinishReason::Length),
        ("SAFETY", FinishReason::Refusal),
        ("RECITATION", FinishReason::Refusal),
        ("PROHIBITED_CONTENT", FinishReason::Refusal),
        ("MALFORMED_FUNCTION_CALL", FinishReason::MalformedToolCall),
        ("OTHER", FinishReason::Other),
        ("NOT_KNOWN_YET", FinishReason::Other),
    ] {
        let finish = of(word);
        assert_eq!(
            (finish.reason, finish.native.as_deref(), finish.explanation.as_deref()),
            (reason, Some(word), Some("why"))
        );
    }
    let refused = finish(r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT","blockReasonMessage":"no"}}"#);
    assert_eq!((refused.reason, refused.explanation.as_deref()), (FinishReason::Refusal, Some("no")));
}

#[test]
fn probabilities_go_with_their_text() {
    let json = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"logprobsResult":{"topCandidates":[{"candidates":[{"token":"a","tokenId":1,"logProbability":-0.5},{"token":"b","logProbability":-2.0}]}],"chosenCandidates":[{"token":"a","tokenId":1,"logProbability":-0.5}]}}]}"#;
    let Part::Text(text) = answer(&chunk(json)).parts.remove(0) else { panic!() };
    let token = &text.logprobs[0];
    assert_eq!((&*token.token, token.logprob, token.top.len(), &*token.top[1].token), ("a", -0.5, 2, "b"));
}

#[test]
fn other_candidates_are_named_and_garbage_is_passed_over() {
    let other = chunk(r#"{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]}}]}"#);
    assert_eq!(events(&other), ["Unmapped(\"candidates\")"]);
    assert!(events("data: [DONE]\n\n").is_empty() && events(&chunk(r#"{"error":{"code":500}}"#)).is_empty());
}

#[test]
fn an_answer_that_did_not_stream_is_read_as_one_chunk() {
    // The elements of an array are what a whole answer looks like, spread over lines.
    let elements: Vec<Value> = serde_json::from_str(fixture("json-array-stream-tool-calls.json")).unwrap();
    let body = serde_json::to_vec_pretty(&elements[0]).unwrap();
    let (answer, unmapped) = read_answer(&super::Gemini, "google", "x", &body).unwrap();
    let [Part::ToolCall(call)] = &*answer.parts else { panic!("{:?}", answer.parts) };
    let arguments =
        r#"{"age":30,"name":"Alice","address":{"street":"123 Main St","city":"San Francisco","zipcode":"94102"}}"#;
    assert_eq!((&*call.id, &*call.name, &*call.arguments), ("whZntcQw", "add_person", arguments));
    assert!(call.seal.is_some() && unmapped.is_empty());
    assert_eq!(answer.usage.unwrap().input_tokens, 201);
    for body in ["[]", "{}", "{", r#"{"choices":[]}"#] {
        assert!(read_answer(&super::Gemini, "google", "x", body.as_bytes()).is_err());
    }
}

#[test]
fn an_array_has_the_same_elements_as_a_stream() {
    let elements: Vec<Value> = serde_json::from_str(fixture("json-array-stream-schema.json")).unwrap();
    let stream: String = elements.iter().map(|element| chunk(&element.to_string())).collect();
    let answer = answer(&stream);
    let dogs: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!((&dogs["dogs"][0]["name"], &dogs["dogs"][1]["name"]), (&"Shadow".into(), &"Zephyr".into()));
    assert!(thoughts(&answer).starts_with("**Defining the Output**"));
    let Some(Part::Text(text)) = answer.parts.last() else { panic!() };
    assert!(text.seal.is_some());
}

#[test]
fn numbers_and_the_order_of_keys_stay_as_they_are() {
    let json = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{ "z" : 1.50 , "a": 12345678901234567890123, "s": " \" { } \\" }}}]}}]}"#;
    let Part::ToolCall(call) = answer(&chunk(json)).parts.remove(0) else { panic!() };
    assert_eq!(call.arguments, r#"{"z":1.50,"a":12345678901234567890123,"s":" \" { } \\"}"#);
}
