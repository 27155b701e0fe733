//! A request that is to go on with an answer.
//!
//! <https://docs.claude.com/en/docs/build-with-claude/prompt-engineering/prefill-claudes-response>

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::encode_request::generation::Generation;
use crate::dialect::continuation::Beginning;
use crate::dialect::continuation::extend::Extension;
use crate::dialect::request;

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<Thinking<'a>>,
}

#[derive(Deserialize)]
struct Thinking<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

pub(super) fn extend(body: &[u8], beginning: &Beginning<'_>) -> Result<Bytes, &'static str> {
    let wire: Wire<'_> = request::read(body).map_err(|_| "it cannot be read")?;
    if wire.thinking.is_some_and(|thinking| thinking.r#type != "disabled") {
        return Err("a model that thinks takes no beginning");
    }
    if !Generation::of(&wire.model).takes_prefill() {
        return Err("this model takes no beginning");
    }
    let mut extension = Extension::of(body);
    extension.say(wire.messages, beginning.text, false)?;
    extension.shorten(wire.max_tokens, beginning)?;
    Ok(extension.into_body())
}
