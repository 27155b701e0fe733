//! How much a model is told to think.

use serde_json::{Value, json};

use super::{encode_for, lost, seal};
use crate::canonical::{
    ChatRequest, Effort, Message, Part, Reasoning, Role, Tool, ToolCall, ToolChoice, ToolInput, ToolResult, Weight,
};

const BUDGETED: &str = "claude-sonnet-4-5";
const ADAPTIVE: &str = "claude-opus-4-6";

fn request(reasoning: Reasoning) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::text(Role::User, "Hi")],
        max_output_tokens: Some(8000),
        reasoning,
        ..ChatRequest::default()
    }
}

fn effort(effort: Effort) -> Reasoning {
    Reasoning { effort: Some(effort), ..Reasoning::default() }
}

fn budget(tokens: u64) -> Reasoning {
    Reasoning { budget_tokens: Some(tokens), ..Reasoning::default() }
}

/// What is said of thinking, of the effort, and what is lost.
fn told(model: &str, request: &ChatRequest) -> (Value, Value, usize) {
    let (body, losses) = encode_for(model, request);
    assert!(lost(&losses).iter().all(|lost| *lost == ("thinking", Weight::Hint)), "{losses:?}");
    (body["thinking"].clone(), body["output_config"]["effort"].clone(), losses.len())
}

#[test]
fn who_says_nothing_of_it_is_not_made_to() {
    for model in [BUDGETED, ADAPTIVE, "kimi-k2"] {
        assert_eq!(told(model, &request(Reasoning::default())), (json!(null), json!(null), 0));
    }
}

#[test]
fn models_with_a_budget_are_given_one() {
    let enabled = |tokens: u64| json!({ "type": "enabled", "budget_tokens": tokens });
    for (asked, given, losses) in [
        (effort(Effort::Minimal), 1024, 0),
        (effort(Effort::Low), 1024, 0),
        (effort(Effort::High), 4096, 0),
        (effort(Effort::Max), 6000, 0),
        (budget(2000), 2000, 0),
        (budget(7999), 7999, 0),
        (budget(500), 1024, 1),
        (budget(8000), 6000, 1),
        (Reasoning { enabled: Some(true), ..Reasoning::default() }, 2048, 0),
    ] {
        assert_eq!(told(BUDGETED, &request(asked.clone())), (enabled(given), json!(null), losses), "{asked:?}");
    }
    assert_eq!(told("kimi-k2", &request(effort(Effort::Low))).0, enabled(1024));
}

#[test]
fn models_that_decide_for_themselves_are_given_an_effort() {
    let adaptive = json!({ "type": "adaptive" });
    for (asked, given, losses) in [
        (effort(Effort::Minimal), json!("low"), 0),
        (effort(Effort::Medium), json!("medium"), 0),
        (effort(Effort::XHigh), json!("high"), 0),
        (effort(Effort::Max), json!("max"), 0),
        (budget(5000), json!("high"), 1),
        (Reasoning { enabled: Some(true), ..Reasoning::default() }, json!(null), 0),
    ] {
        assert_eq!(told(ADAPTIVE, &request(asked.clone())), (adaptive.clone(), given, losses), "{asked:?}");
    }
    assert_eq!(told("claude-opus-4-7", &request(effort(Effort::XHigh))).1, "xhigh");
}

#[test]
fn no_thoughts_are_asked_for_where_none_are_wanted() {
    let disabled = json!({ "type": "disabled" });
    for off in [effort(Effort::None), budget(0), Reasoning { enabled: Some(false), ..Reasoning::default() }] {
        assert_eq!(told(BUDGETED, &request(off.clone())), (disabled.clone(), json!(null), 0));
        assert_eq!(told(ADAPTIVE, &request(off.clone())), (disabled.clone(), json!(null), 0));
        assert_eq!(told("claude-3-5-haiku-latest", &request(off.clone())), (json!(null), json!(null), 0));
        // This one cannot be told not to.
        assert_eq!(told("claude-fable-5", &request(off)), (json!(null), json!("low"), 1));
    }
}

#[test]
fn thoughts_are_shown_or_not_where_the_word_for_it_is_known() {
    let asked = Reasoning { visible: Some(true), ..effort(Effort::Low) };
    assert_eq!(told(BUDGETED, &request(asked.clone())).0["display"], "summarized");
    assert_eq!(told(ADAPTIVE, &request(Reasoning { visible: Some(false), ..asked.clone() })).0["display"], "omitted");
    assert_eq!(told("kimi-k2", &request(asked)).0.get("display"), None);
}

#[test]
fn what_stands_in_the_way_of_thinking_turns_it_off() {
    let off = (json!(null), json!(null), 1);
    let asked = request(effort(Effort::High));
    assert_eq!(told("claude-3-5-haiku-latest", &asked), off);
    assert_eq!(told(BUDGETED, &ChatRequest { max_output_tokens: Some(1024), ..asked.clone() }), off);
    let tool = Tool { name: "f".into(), description: None, input: ToolInput::Json { schema: None, strict: None } };
    let forced = ChatRequest { tools: vec![tool], tool_choice: Some(ToolChoice::Required), ..asked };
    assert_eq!(told(BUDGETED, &forced), off);
    assert_eq!(told(ADAPTIVE, &forced), off);
    let (body, _) = encode_for(BUDGETED, &forced);
    assert_eq!(body["tool_choice"]["type"], "any");
}

#[test]
fn a_model_that_thinks_is_not_told_how_to_sample() {
    let request =
        ChatRequest { temperature: Some(0.5), top_p: Some(0.9), top_k: Some(3), ..request(effort(Effort::Low)) };
    let (body, losses) = encode_for(BUDGETED, &request);
    assert_eq!(lost(&losses), [("temperature", Weight::Hint), ("top_p", Weight::Hint), ("top_k", Weight::Hint)]);
    assert_eq!((body.get("temperature"), &body["thinking"]["type"]), (None, &json!("enabled")));
}

/// A conversation in which the model has called a tool, behind `thoughts`, and its result is there.
fn going_on(thoughts: Vec<Part>) -> ChatRequest {
    let call = Part::ToolCall(ToolCall { id: "c".into(), name: "f".into(), ..ToolCall::default() });
    let result =
        Part::ToolResult(ToolResult { call_id: "c".into(), parts: vec![Part::text("r")], ..ToolResult::default() });
    let messages = vec![
        Message::text(Role::User, "Hi"),
        Message { role: Role::Assistant, parts: thoughts.into_iter().chain([call]).collect() },
        Message { role: Role::User, parts: vec![result] },
    ];
    ChatRequest { messages, ..request(effort(Effort::Low)) }
}

#[test]
fn a_model_goes_on_thinking_only_where_its_thoughts_can_be_shown() {
    let thinking = |thoughts, model| encode_for(model, &going_on(thoughts)).0["thinking"]["type"].clone();
    let thoughts = |seal| vec![Part::Reasoning { text: "Hm.".into(), seal }];
    let foreign = crate::canonical::Seal { provider: "another".into(), ..seal("sig") };
    assert_eq!(thinking(thoughts(Some(seal("sig"))), BUDGETED), "enabled");
    assert_eq!(thinking(thoughts(Some(foreign)), BUDGETED), json!(null));
    assert_eq!(thinking(thoughts(None), BUDGETED), json!(null));
    assert_eq!(thinking(vec![], BUDGETED), json!(null));
    // A model that decides for itself need not have thought.
    assert_eq!(thinking(vec![], ADAPTIVE), "adaptive");
}

#[test]
fn a_turn_that_is_over_needs_no_thoughts() {
    let mut request = going_on(vec![]);
    request.messages.push(Message::text(Role::Assistant, "Done."));
    request.messages.push(Message::text(Role::User, "Thanks. And now?"));
    assert_eq!(told(BUDGETED, &request).0["type"], "enabled");
}

#[test]
fn it_is_the_first_of_several_calls_that_needs_its_thoughts() {
    let mut request = going_on(vec![Part::Reasoning { text: "Hm.".into(), seal: Some(seal("sig")) }]);
    let again = going_on(vec![]).messages.split_off(1);
    request.messages.extend(again);
    assert_eq!(told(BUDGETED, &request).0["type"], "enabled");
}
