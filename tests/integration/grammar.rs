//! The checkers of grammar, before they are trusted: real streams pass, streams that a client would stumble over do not.

mod broken;
mod recordings;
