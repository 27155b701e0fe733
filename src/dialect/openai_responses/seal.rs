//! Where seals stand in this dialect: in the `encrypted_content` of reasoning items.
//!
//! Gemini seals calls and texts, which have no place for it here; so they are followed by a reasoning item that says in this
//! field what its seal is on: clients keep the field as it is, and some drop or change the names of items.

/// What an upstream wants to see again of a reasoning item: its name and its encrypted content, which is empty where the
/// thoughts are not encrypted and have to be shown as they are.
pub(super) fn pack(id: &str, encrypted: &str) -> String {
    format!("{id}\n{encrypted}")
}

/// The name and the encrypted content in `data`.
pub(super) fn unpack(data: &str) -> Option<(&str, &str)> {
    data.split_once('\n')
}
