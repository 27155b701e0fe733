//! The dialect against recorded streams and requests, and against literal ones where nothing was recorded.

mod decode;
mod decode_request;
mod encode;
mod encode_request;
mod observe;
mod support;
