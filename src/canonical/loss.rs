//! What a translation cannot carry.

use std::fmt;

/// Whether an answer without something is another answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It is: the request asks for something else without it. Such a request is refused, unless the configuration says
    /// that it may be sent without.
    Meaning,
    /// It is not: it concerns cost, accounting, caches or comfort. It is left out, and the client is told.
    Hint,
}

/// One thing that could not be carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Its name in the client's dialect.
    pub param: String,
    /// Whether it matters.
    pub weight: Weight,
    /// Why it cannot be carried, as half a sentence: "Anthropic Messages has no such parameter".
    pub why: String,
}

/// All that a translation could not carry.
pub struct Losses<'a> {
    name: &'a dyn Fn(Field) -> &'static str,
    list: Vec<Loss>,
}

impl fmt::Debug for Losses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

impl<'a> Losses<'a> {
    /// None yet. `name` tells what the client's dialect calls a field.
    pub fn new(name: &'a dyn Fn(Field) -> &'static str) -> Self {
        Self { name, list: Vec::new() }
    }

    /// `field` changes the answer and cannot be carried.
    pub fn meaning(&mut self, field: Field, why: impl Into<String>) {
        self.add((self.name)(field), Weight::Meaning, why);
    }

    /// `field` does not change the answer and is not carried.
    pub fn hint(&mut self, field: Field, why: impl Into<String>) {
        self.add((self.name)(field), Weight::Hint, why);
    }

    /// What the client's dialect calls `param` is not carried.
    pub fn add(&mut self, param: impl Into<String>, weight: Weight, why: impl Into<String>) {
        let loss = Loss { param: param.into(), weight, why: why.into() };
        if !self.list.contains(&loss) {
            self.list.push(loss);
        }
    }

    /// All of them.
    pub fn into_list(self) -> Vec<Loss> {
        self.list
    }
}

/// The fields of a [`ChatRequest`](super::ChatRequest), to be named in the client's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `messages`
    Messages,
    /// `tools`
    Tools,
    /// `tool_choice`
    ToolChoice,
    /// `parallel_tool_calls`
    ParallelToolCalls,
    /// `max_output_tokens`
    MaxOutputTokens,
    /// `temperature`
    Temperature,
    /// `top_p`
    TopP,
    /// `top_k`
    TopK,
    /// `seed`
    Seed,
    /// `presence_penalty`
    PresencePenalty,
    /// `frequency_penalty`
    FrequencyPenalty,
    /// `stop`
    Stop,
    /// `logprobs`
    Logprobs,
    /// `output`
    Output,
    /// `reasoning`
    Reasoning,
    /// `verbosity`
    Verbosity,
    /// `user`
    User,
}
