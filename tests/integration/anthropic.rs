//! Anthropic Messages in and out, byte for byte.

mod before_the_first_event;
mod ends;
mod models;
mod refusals;
mod requests;
mod streams;
mod targets;
