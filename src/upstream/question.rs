//! What a client asks, in words for each target that may answer it.

use bytes::Bytes;
use http::{HeaderMap, Method};

use tokio::time::Instant;

use super::plan;
use super::request::UpstreamRequest;
use super::routing::{Route, Target};
use super::{Answer, response};
use crate::canonical::{ChatRequest, Loss, Losses, Weight};
use crate::dialect::{AnswerContext, Beginning, Dialect, Path, Recipient, transcoder};
use crate::error::Error;

/// A chat request, and who may answer it.
#[derive(Debug, Clone)]
pub struct Question {
    /// What the client speaks.
    pub client: &'static dyn Dialect,
    /// Who may answer.
    pub route: Route,
    /// What the client calls its session, as a number, if requests of one session are to go to one target.
    pub session: Option<u64>,
    /// The request in the client's own words.
    pub request: UpstreamRequest,
    /// How many parts of a streamed answer must announce their end, if it is in the client's own words.
    pub expected_ends: u32,
    /// The request in the words of those who do not speak the client's dialect; `None` if all of them do and none may have to go
    /// on with another's answer.
    pub translation: Option<Translation>,
}

/// A request in the words of several targets.
#[derive(Debug, Clone)]
pub struct Translation {
    /// What their answers are to be translated for.
    pub context: AnswerContext,
    /// One for each target, in their order.
    wordings: Vec<Wording>,
}

/// A request in the words of one target.
#[derive(Debug, Clone)]
enum Wording {
    /// The client's own.
    Own,
    /// Others.
    Translated(Translated),
    /// Something in the request cannot be said to it.
    Unsayable(Error),
}

/// A request in other words than the client's.
#[derive(Debug, Clone)]
pub struct Translated {
    /// The request.
    pub request: UpstreamRequest,
    /// What it leaves out, by the client's names.
    pub dropped: Vec<String>,
}

impl Question {
    /// The session of a request with these header fields, if `route` asks for one.
    pub fn session_of(route: &Route, headers: &HeaderMap) -> Option<u64> {
        headers.get(route.affinity.as_ref()?).map(|name| plan::session(name.as_bytes()))
    }

    /// How many parts of a streamed answer to `request` must announce their end.
    pub(super) fn ends_of(&self, request: &UpstreamRequest) -> u32 {
        // Whoever is asked in other words is asked for one answer.
        if request.dialect == self.client { self.expected_ends } else { 1 }
    }

    /// The same question to those of its targets, but for the ones at the places `spoken`, that can go on with `text`, of
    /// `tokens` tokens if that is known; `None` if nobody can.
    pub(super) fn going_on(&self, text: &str, tokens: Option<u64>, spoken: &[usize]) -> Option<Self> {
        let wording = |(index, target): (usize, &Target)| {
            let (request, translated) = self.way(index).ok()?;
            let way = target.upstream.continuation.filter(|_| !spoken.contains(&index))?;
            let request = request.going_on(target, &Beginning { text: text.trim_end(), tokens, way });
            let request = request.inspect_err(|why| tell_why(target, why)).ok()?;
            let dropped = translated.map_or_else(Vec::new, |translated| translated.dropped.clone());
            Some(Wording::Translated(Translated { request, dropped }))
        };
        let wordings: Vec<Option<Wording>> = self.route.targets.iter().enumerate().map(wording).collect();
        if wordings.iter().all(Option::is_none) {
            return None;
        }
        // Nobody is told this: whoever is asked has an answer or an error of its own.
        let none = || Wording::Unsayable(Error::ModelNotFound { model: String::new() });
        let wordings = wordings.into_iter().map(|wording| wording.unwrap_or_else(none)).collect();
        let context = self.translation.as_ref()?.context.clone();
        Some(Self { translation: Some(Translation { context, wordings }), ..self.clone() })
    }

    /// `error`, for the client to understand.
    pub(super) fn in_client_s_words(&self, error: Error, translated: Option<&Translated>) -> Error {
        if translated.is_some() { response::in_other_words(error, self.client) } else { error }
    }

    /// `answer` in the client's dialect. The client asked at `started`.
    pub(super) fn tell(
        &self,
        answer: Answer,
        translated: Option<&Translated>,
        started: Instant,
    ) -> Result<Answer, Error> {
        let (Some(translated), Some(translation)) = (translated, &self.translation) else { return Ok(answer) };
        let from = translated.request.dialect;
        let context = AnswerContext { elapsed: started.elapsed(), ..translation.context.clone() };
        let (mut chat, untold) = transcoder::read_answer(from, &answer.provider, &context.id, &answer.body)
            .map_err(|what| Error::UpstreamUnexpected { provider: answer.provider.to_string(), what })?;
        transcoder::unwrap_texts(&mut chat, &context);
        let body = self.client.encode_answer(&chat, &context);
        Ok(Answer { body, dropped: translated.dropped.clone(), untold, ..answer })
    }

    /// The request in the words of the target at `index` of the route, and what they are if they are a translation.
    ///
    /// # Errors
    ///
    /// The [`Error`] of a target that cannot be asked so.
    pub(super) fn way(&self, index: usize) -> Result<(&UpstreamRequest, Option<&Translated>), Error> {
        match self.translation.as_ref().map(|translation| &translation.wordings[index]) {
            None | Some(Wording::Own) => Ok((&self.request, None)),
            Some(Wording::Translated(translated)) => Ok((&translated.request, Some(translated))),
            Some(Wording::Unsayable(error)) => Err(error.clone()),
        }
    }
}

impl Translation {
    /// Whether any of `targets` needs one of what is said in `client`.
    pub fn is_needed(client: &dyn Dialect, targets: &[Target]) -> bool {
        !targets.iter().all(|target| target.upstream.speaks(client))
    }

    /// Translates the request of `context` from `client` for each of `targets` that needs it.
    ///
    /// `headers` tells the header fields of a request in some dialect. `lenient` sends requests also without what changes
    /// their meaning and cannot be said.
    pub fn new(
        client: &'static dyn Dialect,
        context: AnswerContext,
        targets: &[Target],
        headers: impl Fn(&'static dyn Dialect) -> HeaderMap,
        lenient: bool,
    ) -> Self {
        let wording = |target: &Target| {
            if target.upstream.speaks(client) {
                return Wording::Own;
            }
            let spoken = target.upstream.dialects[0];
            let (body, losses) = encode(client, &context.request, target, spoken);
            if let Some(loss) = losses.iter().find(|loss| loss.weight == Weight::Meaning && !lenient) {
                return Wording::Unsayable(unsayable(loss, target, spoken));
            }
            let request = UpstreamRequest {
                dialect: spoken,
                method: Method::POST,
                path: Path::Fixed(spoken.path(&target.model, context.request.stream)),
                headers: headers(spoken),
                body,
                model_span: 0..0,
            };
            let mut dropped: Vec<String> = losses.into_iter().map(|loss| loss.param).collect();
            dropped.dedup();
            Wording::Translated(Translated { request, dropped })
        };
        let wordings = targets.iter().map(wording).collect();
        Self { context, wordings }
    }
}

fn tell_why(target: &Target, why: &str) {
    tracing::debug!(provider = &*target.upstream.name, why, "not asked to go on with an answer");
}

fn encode(client: &dyn Dialect, request: &ChatRequest, target: &Target, spoken: &dyn Dialect) -> (Bytes, Vec<Loss>) {
    let name = |field| client.param(field);
    let mut losses = Losses::new(&name);
    for unmapped in &request.unmapped {
        losses.add(&*unmapped.param, unmapped.weight, format!("{} has nothing like it", spoken.title()));
    }
    let to = Recipient { model: &target.model, provider: &target.upstream.name, quirks: &target.upstream.quirks };
    let body = spoken.encode_request(request, &to, &mut losses);
    (body, losses.into_list())
}

fn unsayable(loss: &Loss, target: &Target, spoken: &dyn Dialect) -> Error {
    Error::Untranslatable {
        param: loss.param.clone(),
        why: loss.why.clone(),
        provider: target.upstream.name.to_string(),
        spoken: spoken.title(),
    }
}
