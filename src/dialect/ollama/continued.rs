//! A request that is to go on with an answer: a last message of the model's is gone on with.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::continuation::Beginning;
use crate::dialect::continuation::extend::Extension;
use crate::dialect::request;

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    options: Option<Options<'a>>,
    #[serde(borrow)]
    think: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Options<'a> {
    #[serde(borrow)]
    num_predict: Option<&'a RawValue>,
}

pub(super) fn extend(body: &[u8], beginning: &Beginning<'_>) -> Result<Bytes, &'static str> {
    let wire: Wire<'_> = request::read(body).map_err(|_| "it cannot be read")?;
    if wire.think.is_some_and(|think| think.get() != "false") {
        return Err("a model that thinks takes no beginning");
    }
    let mut extension = Extension::of(body);
    extension.say(wire.messages, beginning.text, false)?;
    extension.shorten(wire.options.and_then(|options| options.num_predict), beginning)?;
    Ok(extension.into_body())
}
