//! URLs that name the model, and what is to be done with it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::dialect::{Endpoint, Path, Shape};

/// What needs no encoding in a segment of a path: [RFC 3986 §2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Collections of models beside `models/`.
const COLLECTIONS: [&str; 4] = ["tunedModels/", "publishers/", "projects/", "endpoints/"];

/// What is appended to a base URL to ask `model` for an answer.
pub(super) fn path(model: &str, stream: bool) -> String {
    path_of(model, if stream { "streamGenerateContent?alt=sse" } else { "generateContent" })
}

/// What is appended to a base URL to do `action`, such as `countTokens`, with `model`.
fn path_of(model: &str, action: &str) -> String {
    let model = model.strip_prefix("models/").unwrap_or(model);
    let is_safe = |segment: &str| !matches!(segment, "" | "." | "..");
    let is_collected = COLLECTIONS.iter().any(|name| model.starts_with(name)) && model.split('/').all(is_safe);
    if is_collected {
        let encoded = utf8_percent_encode(model, const { &RESERVED.remove(b'/') });
        format!("/{encoded}:{action}")
    } else {
        format!("/models/{}:{action}", utf8_percent_encode(model, RESERVED))
    }
}

/// What a client says by asking at `path`: the model, and whether to stream.
pub(super) fn endpoint_at(path: &str, query: Option<&str>) -> Option<Endpoint> {
    let named = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"))?;
    let named = percent_decode_str(named).decode_utf8().ok()?;
    let (model, action) = named.rsplit_once(':')?;
    // It goes into the path of a request as it is. What is no word names no method.
    if !action.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let is_stream = action == "streamGenerateContent";
    let (mut query, is_sse) = own_query(query.unwrap_or_default());
    if is_stream {
        query = format!("?alt=sse{}", query.replacen('?', "&", 1));
    }
    Some(Endpoint {
        path: Path::OfModel { write: path_of, action: action.to_owned(), query },
        model: Some(model.to_owned()),
        stream: Some(is_stream),
        shape: if is_stream && !is_sse { Shape::Array } else { Shape::Chat },
        is_translated: matches!(action, "generateContent" | "streamGenerateContent"),
        takes_any_type: false,
    })
}

/// The query without a client's key and without the form of the answer, and whether that form is an event stream.
fn own_query(query: &str) -> (String, bool) {
    let pairs = || query.split('&').filter(|pair| !pair.is_empty());
    let is_form = |pair: &&str| ["alt=", "$alt=", "%24alt="].iter().any(|name| pair.starts_with(name));
    let kept: Vec<&str> = pairs().filter(|pair| !is_form(pair) && !pair.starts_with("key=")).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    (query, pairs().filter(is_form).any(|pair| pair.ends_with("=sse")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_cannot_lead_elsewhere() {
        assert_eq!(path("gemini-2.5-flash", false), "/models/gemini-2.5-flash:generateContent");
        assert_eq!(path("models/gemini-2.5-flash", true), "/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
        assert_eq!(path("tunedModels/my-model", false), "/tunedModels/my-model:generateContent");
        assert_eq!(path("a/b c?d#e:f", false), "/models/a%2Fb%20c%3Fd%23e%3Af:generateContent");
        assert_eq!(path("tunedModels/../../x", false), "/models/tunedModels%2F..%2F..%2Fx:generateContent");
        assert_eq!(path("é", false), "/models/%C3%A9:generateContent");
    }

    #[test]
    fn a_clients_key_does_not_leave_with_the_query() {
        assert_eq!(own_query("key=secret&alt=sse&fields=x"), ("?fields=x".to_owned(), true));
        assert_eq!(own_query("%24alt=json%3Benum-encoding%3Dint"), (String::new(), false));
        assert_eq!(own_query(""), (String::new(), false));
    }

    #[test]
    fn a_url_names_the_model_and_what_to_do_with_it() {
        let stream = endpoint_at("/v1beta/models/a%2Fb:streamGenerateContent", Some("key=k")).unwrap();
        assert_eq!((stream.model.as_deref(), stream.stream, stream.shape), (Some("a/b"), Some(true), Shape::Array));
        assert_eq!(stream.path.to("own"), "/models/own:streamGenerateContent?alt=sse");
        let count = endpoint_at("/v1beta/models/m:countTokens", None).unwrap();
        assert_eq!((count.is_translated, &*count.path.to("own")), (false, "/models/own:countTokens"));
        assert_eq!(endpoint_at("/v1/models/a/b:generateContent", None).unwrap().model.as_deref(), Some("a/b"));
        assert!(endpoint_at("/v1beta/models/m", None).is_none());
    }

    #[test]
    fn what_is_to_be_done_with_a_model_is_a_word_and_leads_nowhere() {
        for action in ["x%2F..%2F..%2Fadmin", "x%0D%0Ahost:%20evil", "count%20Tokens", "a%3Fb"] {
            assert!(endpoint_at(&format!("/v1beta/models/m:{action}"), None).is_none(), "{action}");
        }
    }
}
