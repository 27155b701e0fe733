//! Where seals stand in this dialect: in the `encrypted_content` of reasoning items.

use crate::canonical::Seal;

/// What an upstream wants to see again of a reasoning item: its name and its encrypted content, which is empty where the
/// thoughts are not encrypted and have to be shown as they are.
pub(super) fn pack(id: &str, encrypted: &str) -> String {
    format!("{id}\n{encrypted}")
}

/// The name and the encrypted content in `data`.
pub(super) fn unpack(data: &str) -> Option<(&str, &str)> {
    data.split_once('\n')
}

/// What the seal of another dialect is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum On {
    /// The thoughts of the item it stands in.
    Thoughts,
    /// The text before that item.
    Text,
    /// The call with this `call_id`.
    Call(String),
}

/// The encrypted content that carries `seal` to a client and back. Gemini seals calls and texts, which have no place for it
/// here; so they are followed by a reasoning item that says whose seal it holds. It says so in this field, because clients
/// keep it as it is, and some drop or change the names of items.
pub(super) fn write(seal: &Seal, on: &On) -> String {
    let token = seal.token();
    match on {
        On::Thoughts => token,
        On::Text => format!("{token}.text"),
        On::Call(id) => format!("{token}.call.{id}"),
    }
}

/// The seal in `encrypted_content`, if it is one that this proxy has written.
pub(super) fn read(encrypted_content: &str) -> Option<(Seal, On)> {
    let text = encrypted_content.strip_prefix(Seal::PREFIX)?;
    let (length, on) = match text.split_once('.') {
        None => (text.len(), On::Thoughts),
        Some((token, "text")) => (token.len(), On::Text),
        Some((token, on)) => (token.len(), On::Call(on.strip_prefix("call.")?.to_owned())),
    };
    Some((Seal::parse(&encrypted_content[..Seal::PREFIX.len() + length])?, on))
}
