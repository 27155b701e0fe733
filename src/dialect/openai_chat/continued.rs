//! A request that is to go on with an answer.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::continuation::extend::Extension;
use crate::dialect::continuation::{Beginning, Continuation};
use crate::dialect::request;

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    max_completion_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    add_generation_prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    continue_final_message: Option<&'a RawValue>,
}

pub(super) fn extend(body: &[u8], beginning: &Beginning<'_>) -> Result<Bytes, &'static str> {
    let wire: Wire<'_> = request::read(body).map_err(|_| "it cannot be read")?;
    let mut extension = Extension::of(body);
    extension.say(wire.messages, beginning.text, beginning.way == Continuation::Prefix)?;
    extension.shorten(wire.max_tokens, beginning)?;
    extension.shorten(wire.max_completion_tokens, beginning)?;
    if beginning.way == Continuation::ContinueFinalMessage {
        extension.set("add_generation_prompt", wire.add_generation_prompt, false);
        extension.set("continue_final_message", wire.continue_final_message, true);
    }
    Ok(extension.into_body())
}
