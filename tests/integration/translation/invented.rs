//! Streams that are specified, or known from reports, and that nobody has recorded.

use sluicegate::dialect;

use crate::support::translation::Source;

/// All of them.
pub fn invented() -> impl Iterator<Item = Source> {
    let chat = CHAT.iter().map(|(name, chunks)| source(name, "openai-chat", chat(chunks)));
    let framed = framings().into_iter().map(|(name, stream)| source(name, "openai-chat", stream));
    let messages = ANTHROPIC.iter().map(|(name, events)| source(name, "anthropic", named(events)));
    let responses = RESPONSES.iter().map(|(name, events)| source(name, "openai-responses", named(events)));
    let gemini = GEMINI.iter().map(|(name, chunks)| source(name, "gemini", lines("data: ", chunks, "\r\n\r\n")));
    let ollama = OLLAMA.iter().map(|(name, chunks)| source(name, "ollama", lines("", chunks, "\n")));
    chat.chain(framed).chain(messages).chain(responses).chain(gemini).chain(ollama)
}

fn source(name: &str, dialect: &str, stream: String) -> Source {
    Source::new(&format!("{dialect}: {name}"), dialect::find(dialect).unwrap(), stream)
}

/// Deltas, and a finish reason behind them, as chunks of a chat.
fn chat(deltas: &[&str]) -> String {
    let (finish, deltas) = deltas.split_last().unwrap();
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let chunks: String = deltas.iter().map(|delta| chunk(delta, "null")).collect();
    chunks + &chunk("{}", finish) + "data: [DONE]\n\n"
}

/// Events that are called what their type is.
fn named(events: &[&str]) -> String {
    let name = |event: &str| event.split('"').nth(3).unwrap().to_owned();
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", name(event))).collect()
}

fn lines(before: &str, chunks: &[&str], behind: &str) -> String {
    chunks.iter().map(|chunk| format!("{before}{chunk}{behind}")).collect()
}

/// One chat, written in every way that the standard of event streams allows.
fn framings() -> Vec<(&'static str, String)> {
    let plain = chat(&["{\"role\":\"assistant\",\"content\":\"\"}", "{\"content\":\"für 🦀\"}", "\"stop\""]);
    vec![
        ("with a byte order mark", format!("\u{feff}{plain}")),
        ("in lines that end in CRLF", plain.replace('\n', "\r\n")),
        ("in lines that end in CR", plain.replace('\n', "\r")),
        ("without spaces behind its colons", plain.replace("data: ", "data:")),
        ("with data on several lines", plain.replace(",\"choices\"", ",\ndata: \"choices\"")),
        ("with comments, ids and empty events", plain.replace("\n\ndata", "\n\n: ping\n\nid: 7\nretry: 9\ndata")),
        ("without the last empty line", plain.trim_end().to_owned()),
    ]
}

type Streams = &'static [(&'static str, &'static [&'static str])];

const CHAT: Streams = &[
    (
        "a refusal",
        &[
            r#"{"role":"assistant","content":null,"refusal":""}"#,
            r#"{"refusal":"I can"}"#,
            r#"{"refusal":"not."}"#,
            "\"stop\"",
        ],
    ),
    ("an answer that is filtered", &[r#"{"role":"assistant","content":"Wel"}"#, "\"content_filter\""]),
    ("an answer of nothing", &[r#"{"role":"assistant","content":""}"#, "\"stop\""]),
    (
        "calls that are woven into each other",
        &[
            r#"{"role":"assistant","tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":"{\"x\""}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"y\":"}}]}"#,
            r#"{"tool_calls":[{"index":1,"function":{"arguments":":1}"}},{"index":0,"function":{"arguments":"2}"}}]}"#,
            "\"tool_calls\"",
        ],
    ),
    (
        "calls that share an index",
        &[
            r#"{"role":"assistant","content":"","tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]}"#,
            r#"{"content":"","tool_calls":[{"index":0,"id":"call_b","type":"function","function":{"name":"f","arguments":"{\"x\":2}"}}]}"#,
            "\"stop\"",
        ],
    ),
    (
        "a call without an id or an index, finished as if there were none",
        &[r#"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"x\":1}"}}]}"#, "\"stop\""],
    ),
    (
        "a call that is cut off",
        &[
            r#"{"role":"assistant","content":"So:"}"#,
            r#"{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"x\":"}}]}"#,
            "\"length\"",
        ],
    ),
    (
        "a call of a tool that takes text",
        &[
            r#"{"role":"assistant","tool_calls":[{"index":0,"id":"call_a","type":"custom","custom":{"name":"sql","input":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"type":"custom","custom":{"input":"SELECT \"a\""}}]}"#,
            r#"{"tool_calls":[{"index":0,"type":"custom","custom":{"input":"\nFROM b"}}]}"#,
            "\"tool_calls\"",
        ],
    ),
    (
        "text behind a call",
        &[
            r#"{"role":"assistant","tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
            r#"{"content":"There."}"#,
            "\"tool_calls\"",
        ],
    ),
];

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"cache_read_input_tokens":5,"cache_creation_input_tokens":2,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

const ANTHROPIC: Streams = &[
    (
        "thoughts that are not told, text, a call without arguments, and text",
        &[
            START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"One"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_a","name":"f","input":{}}}"#,
            r#"{"type":"content_block_stop","index":2}"#,
            r#"{"type":"content_block_start","index":3,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"two"}}"#,
            r#"{"type":"content_block_stop","index":3}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}"#,
            STOP,
        ],
    ),
    (
        "a full context",
        &[
            START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"One"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"model_context_window_exceeded","stop_sequence":null},"usage":{"output_tokens":9}}"#,
            STOP,
        ],
    ),
    (
        "a message that begins with all that there is",
        &[
            r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"All"},{"type":"tool_use","id":"toolu_a","name":"f","input":{"x":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":3}}}"#,
            STOP,
        ],
    ),
];

const CREATED: &str = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}}"#;

const RESPONSES: Streams = &[
    (
        "a refusal behind text",
        &[
            CREATED,
            r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}"#,
            r#"{"type":"response.content_part.added","item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#,
            r#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"Well. "}"#,
            r#"{"type":"response.content_part.added","item_id":"msg_1","output_index":0,"content_index":1,"part":{"type":"refusal","refusal":""}}"#,
            r#"{"type":"response.refusal.delta","item_id":"msg_1","output_index":0,"content_index":1,"delta":"No."}"#,
            r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","model":"m","output":[{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"Well. ","annotations":[]},{"type":"refusal","refusal":"No."}]}],"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":5},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":16}}}"#,
        ],
    ),
    (
        "an answer that is cut off in a call",
        &[
            CREATED,
            r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"fc_1","type":"function_call","call_id":"call_a","name":"f","arguments":""}}"#,
            r#"{"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":0,"delta":"{\"x\":"}"#,
            r#"{"type":"response.incomplete","response":{"id":"resp_1","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"model":"m","output":[{"id":"fc_1","type":"function_call","status":"incomplete","call_id":"call_a","name":"f","arguments":"{\"x\":"}],"usage":null}}"#,
        ],
    ),
    (
        "a call of a tool that takes text",
        &[
            CREATED,
            r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"ctc_1","type":"custom_tool_call","call_id":"call_a","name":"sql","input":""}}"#,
            r#"{"type":"response.custom_tool_call_input.delta","item_id":"ctc_1","output_index":0,"delta":"SELECT 1"}"#,
            r#"{"type":"response.custom_tool_call_input.done","item_id":"ctc_1","output_index":0,"input":"SELECT 1"}"#,
            r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"ctc_1","type":"custom_tool_call","call_id":"call_a","name":"sql","input":"SELECT 1"}}"#,
            r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","model":"m","output":[{"id":"ctc_1","type":"custom_tool_call","call_id":"call_a","name":"sql","input":"SELECT 1"}]}}"#,
        ],
    ),
    (
        "nothing but its last event",
        &[
            r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","model":"m","output":[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[]}]},{"id":"fc_1","type":"function_call","call_id":"call_a","name":"f","arguments":"{\"x\":1}"}],"usage":{"input_tokens":7,"output_tokens":9}}}"#,
        ],
    ),
    (
        "an answer that is filtered",
        &[
            CREATED,
            r#"{"type":"response.incomplete","response":{"id":"resp_1","status":"incomplete","incomplete_details":{"reason":"content_filter"},"model":"m","output":[],"usage":null}}"#,
        ],
    ),
];

const GEMINI: Streams = &[
    (
        "an answer that is not safe",
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"Wel"}],"role":"model"}}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7},"modelVersion":"m","responseId":"r"}"#,
            r#"{"candidates":[{"finishReason":"SAFETY"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1,"totalTokenCount":8},"modelVersion":"m","responseId":"r"}"#,
        ],
    ),
    (
        "a question that is not answered",
        &[
            r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7},"modelVersion":"m","responseId":"r"}"#,
        ],
    ),
    (
        "a call that went wrong",
        &[
            r#"{"candidates":[{"content":{"role":"model"},"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: f(x"}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7},"modelVersion":"m","responseId":"r"}"#,
        ],
    ),
    (
        "thoughts, text and two calls in one piece, and more behind the end",
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"One"},{"functionCall":{"name":"f","args":{"x":1}},"thoughtSignature":"c2ln"},{"functionCall":{"name":"f","args":{}}}],"role":"model"},"finishReason":"STOP"}],"modelVersion":"m","responseId":"r"}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"}}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"thoughtsTokenCount":2,"cachedContentTokenCount":5,"totalTokenCount":12},"modelVersion":"m","responseId":"r"}"#,
        ],
    ),
    (
        "an answer that is cut off",
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"One"}],"role":"model"},"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1,"totalTokenCount":8},"modelVersion":"m","responseId":"r"}"#,
        ],
    ),
];

const OLLAMA: Streams = &[
    (
        "thoughts, text and two calls in one line, and the end of the tokens",
        &[
            r#"{"model":"m","created_at":"2025-01-01T00:00:00Z","message":{"role":"assistant","thinking":"hm","content":"One","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}},{"function":{"name":"f","arguments":{}}}]},"done":false}"#,
            r#"{"model":"m","created_at":"2025-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"length","total_duration":9,"prompt_eval_count":7,"eval_count":3}"#,
        ],
    ),
    (
        "a completion with thoughts",
        &[
            r#"{"model":"m","created_at":"2025-01-01T00:00:00Z","response":"","thinking":"hm","done":false}"#,
            r#"{"model":"m","created_at":"2025-01-01T00:00:00Z","response":"One","done":true,"done_reason":"stop","eval_count":3}"#,
        ],
    ),
];
