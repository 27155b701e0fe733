//! What is learned of a stream that passes untouched.

use super::{Gemini, chunk, fixture, recordings};
use crate::canonical::Usage;
use crate::dialect::{Dialect, Observer};

fn observe(runs: &[&str]) -> Observer {
    let mut observer = Observer::new(&Gemini, 1);
    for run in runs {
        observer.observe(run.as_bytes());
    }
    observer
}

#[test]
fn every_recorded_stream_is_whole_and_passes_whole() {
    assert_eq!(recordings(".sse").count(), 18);
    for (name, stream) in recordings(".sse") {
        let mut observer = Observer::new(&Gemini, 1);
        assert_eq!(observer.observe(stream.as_bytes()), stream.len());
        assert!(observer.is_complete() && observer.has_content() && !observer.is_done(), "{name}");
        assert!(observer.usage().is_some() && observer.error().is_none() && !observer.is_garbled(), "{name}");
    }
}

#[test]
fn the_last_usage_counts_and_so_do_thoughts_and_the_results_of_googles_own_tools() {
    let usage = |name| observe(&[fixture(name)]).usage().unwrap();
    let plain = Usage { input_tokens: 13, output_tokens: 8, ..Usage::default() };
    assert_eq!(usage("text-crlf.sse"), plain);
    let thinking =
        Usage { input_tokens: 13, output_tokens: 71 + 137, reasoning_output_tokens: 137, ..Usage::default() };
    assert_eq!(usage("token-accounting-thoughts.sse"), thinking);
    let tools =
        Usage { input_tokens: 32 + 4610, output_tokens: 25 + 37, reasoning_output_tokens: 37, ..Usage::default() };
    assert_eq!(usage("url-context.sse"), tools);
}

#[test]
fn a_stream_that_breaks_off_has_the_usage_that_was_told_last() {
    let stream = fixture("token-accounting-thoughts.sse");
    let (first, _) = stream.split_once("\r\n\r\n").unwrap();
    let observer = observe(&[first, "\r\n\r\n"]);
    assert_eq!(observe(&[&format!("{first}\r\n\r\n")]).usage().unwrap().output_tokens, 29 + 137);
    assert!(!observer.is_complete());
}

#[test]
fn an_empty_text_is_no_content_and_everything_else_is() {
    let part = |part: &str| chunk(&format!(r#"{{"candidates":[{{"content":{{"parts":[{part}],"role":"model"}}}}]}}"#));
    assert!(!observe(&[&part(r#"{"text":""}"#)]).has_content());
    assert!(!observe(&[std::str::from_utf8(Gemini.keep_alive()).unwrap()]).has_content());
    for said in [r#"{"text":"a"}"#, r#"{"functionCall":{"name":"f"}}"#, r#"{"not known yet":1}"#] {
        assert!(observe(&[&part(said)]).has_content(), "{said}");
    }
}

#[test]
fn a_prompt_that_is_refused_ends_all_answers() {
    let refused = chunk(r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}"#);
    let mut observer = Observer::new(&Gemini, 3);
    observer.observe(refused.as_bytes());
    assert!(observer.is_complete() && !observer.has_content());
    assert_eq!(observer.usage().unwrap().input_tokens, 4);
}

#[test]
fn every_candidate_must_finish() {
    let end = |index| chunk(&format!(r#"{{"candidates":[{{"finishReason":"STOP","index":{index}}}]}}"#));
    let body = br#"{"contents":[],"generation_config":{"candidateCount":2}}"#;
    let mut observer = Observer::new(&Gemini, Gemini.parse_request(body).unwrap().expected_ends);
    observer.observe(end(0).as_bytes());
    assert!(!observer.is_complete());
    observer.observe(end(1).as_bytes());
    assert!(observer.is_complete());
}

#[test]
fn an_error_that_sdks_raise_on_passes_and_any_other_does_not() {
    let passed = |error: &str| {
        let error = chunk(error);
        let end = Observer::new(&Gemini, 1).observe(format!("{error}{}", chunk("{}")).as_bytes());
        (end == error.len() + chunk("{}").len(), end == 0)
    };
    assert_eq!(passed(r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#), (true, false));
    assert_eq!(passed(r#"{"error":{"message":"m"}}"#), (false, true));
    assert_eq!(passed(r#"{"error":"m"}"#), (false, true));
    let seen = observe(&[&chunk(r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#)]);
    assert_eq!(seen.error().unwrap().status, Some(503));
}

#[test]
fn an_error_spread_over_bare_lines_at_the_end_is_an_error() {
    let mut observer = observe(&[&chunk(r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#)]);
    assert_eq!(observer.observe_rest(fixture("error-429-quota-retryinfo.json").as_bytes()), None);
    assert_eq!(observer.hidden_error().unwrap().status, Some(429));
}

#[test]
fn text_about_these_words_changes_nothing() {
    let said =
        r#"{"candidates":[{"content":{"parts":[{"text":"\"finishReason\": \"STOP\" {\"error\":{\"code\":500}}"}]}}]}"#;
    let observer = observe(&[&chunk(said)]);
    assert!(!observer.is_complete() && observer.error().is_none() && observer.has_content());
    assert!(
        observe(&["data: <html>\r\n\r\n"]).is_garbled() && !observe(&["data: {\"candidates\":7}\r\n\r\n"]).is_garbled()
    );
}

#[test]
fn an_answer_tells_its_usage_or_is_an_error() {
    let usage =
        Gemini.parse_answer(br#"{"candidates":[],"usageMetadata":{"promptTokenCount":4,"cachedContentTokenCount":3}}"#);
    assert_eq!(usage.unwrap().unwrap().unwrap().cached_input_tokens, 3);
    let error = Gemini.parse_answer(fixture("error-400-api-key.json").as_bytes()).unwrap().unwrap_err();
    assert_eq!((error.status, &*error.message), (Some(400), "API key not valid. Please pass a valid API key."));
    assert!(
        Gemini.parse_answer(b"{\"candidates\":7}").unwrap().unwrap().is_none() && Gemini.parse_answer(b"<").is_err()
    );
}

#[test]
fn a_request_is_one_json_object_and_says_neither_model_nor_stream() {
    let request = Gemini.parse_request(br#"{"contents":[],"model":"x"}"#).unwrap();
    assert_eq!((request.model, request.stream, request.expected_ends), (None, false, 1));
    for body in [&b"[]"[..], b"{", br#"{"generationConfig":{},"generation_config":{}}"#] {
        assert!(Gemini.parse_request(body).is_err());
    }
}
