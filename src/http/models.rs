//! `GET /v1/models`: the configured names, and what the providers themselves list.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Path};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::state::{Context, State};
use crate::config::stream::Stream as StreamConfig;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::upstream::{self, Routes, Target, Upstream, UpstreamRequest};

/// Lists change seldom, and frontends ask at every page load.
const FRESH_FOR: Duration = Duration::from_secs(60);
/// A provider that does not answer must not hold up the others' models for long.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// A model that clients may ask for.
#[derive(Debug)]
enum Model {
    /// A name of the configuration, and the provider that it leads to first.
    Configured { name: String, provider: String },
    /// A model as its provider tells it.
    Listed { upstream: Arc<Upstream>, id: String, card: Value },
}

impl Model {
    /// The model as a client that speaks `dialect` knows it, under the name that leads to it here.
    fn told_in(&self, dialect: &dyn Dialect, routes: &Routes) -> (String, Value) {
        let (upstream, id, card) = match self {
            Self::Configured { name, provider } => return (name.clone(), dialect.model_card(name, provider)),
            Self::Listed { upstream, id, card } => (upstream, id, card),
        };
        let prefixed = || format!("{}/{id}", upstream.name);
        let id = if routes.is_default(upstream, dialect) { id.clone() } else { prefixed() };
        let card = if *upstream.dialects[0] == *dialect {
            dialect.renamed_card(card.clone(), &id)
        } else {
            dialect.model_card(&id, &upstream.name)
        };
        (id, card)
    }
}

/// The models as they were last listed.
#[derive(Debug, Default)]
pub(super) struct Catalog(Mutex<Option<(Instant, Arc<Vec<Model>>)>>);

impl Catalog {
    /// The models, asked for anew if the last list is old. Whoever waits here waits for one and the same list.
    async fn models(&self, state: &State) -> Arc<Vec<Model>> {
        let mut cached = self.0.lock().await;
        if let Some((at, models)) = &*cached
            && at.elapsed() < FRESH_FOR
        {
            return Arc::clone(models);
        }
        let (models, complete) = list_all(state).await;
        let models = Arc::new(models);
        // A list with a hole is asked for again next time.
        *cached = complete.then(|| (Instant::now(), Arc::clone(&models)));
        models
    }
}

/// `GET /v1/models`
pub(super) async fn list(Extension(context): Extension<Context>) -> Response {
    let cards: Vec<Value> = told(&context).await.into_iter().map(|(_, card)| card).collect();
    json_response(context.dialect.model_list(&cards).to_string())
}

/// `GET /v1/models/{id}`
pub(super) async fn get(Extension(context): Extension<Context>, Path(id): Path<String>) -> Result<Response, Error> {
    match told(&context).await.into_iter().find(|(own, _)| *own == id) {
        Some((_, card)) => Ok(json_response(card.to_string())),
        None => Err(Error::ModelNotFound { model: id }),
    }
}

/// All models, as the client knows them, each with its id.
async fn told(context: &Context) -> Vec<(String, Value)> {
    let models = context.state.catalog.models(&context.state).await;
    models.iter().map(|model| model.told_in(context.dialect, &context.state.routes)).collect()
}

pub(super) fn json_response(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.into()).into_response()
}

/// All models, and whether every provider answered.
async fn list_all(state: &State) -> (Vec<Model>, bool) {
    let mut asking = JoinSet::new();
    for (index, target) in state.routes.providers().iter().enumerate() {
        let (target, config) = (target.clone(), state.config.stream.clone());
        asking.spawn(async move { (index, list_one(target, config).await) });
    }
    let mut lists = asking.join_all().await;
    lists.sort_by_key(|(index, _)| *index);

    let mut models: Vec<Model> = configured(state).collect();
    let mut complete = true;
    for (index, list) in lists {
        let upstream = &state.routes.providers()[index].upstream;
        match list {
            Ok(cards) => {
                let listed = |(id, card)| Model::Listed { upstream: Arc::clone(upstream), id, card };
                models.extend(cards.into_iter().map(listed));
            }
            Err(error) => {
                complete = false;
                tracing::warn!(
                    provider = &*upstream.name,
                    error = error.kind(),
                    "a provider did not list its models: {error}"
                );
            }
        }
    }
    (models, complete)
}

fn configured(state: &State) -> impl Iterator<Item = Model> {
    state.config.models.iter().flat_map(|model| {
        let provider = &model.targets[0].provider;
        let names = std::iter::once(&model.name).chain(&model.aliases);
        names.map(|name| Model::Configured { name: name.clone(), provider: provider.clone() })
    })
}

async fn list_one(target: Target, config: StreamConfig) -> Result<Vec<(String, Value)>, Error> {
    let dialect = target.upstream.dialects[0];
    let request = UpstreamRequest::for_models(dialect);
    let config = StreamConfig { response_timeout: LIST_TIMEOUT, idle_timeout: LIST_TIMEOUT, ..config };
    let answer = upstream::fetch(&target, target.next_key(), &request, &config).await?;
    let body = serde_json::from_slice(&answer.body).unwrap_or_default();
    dialect.read_models(body).ok_or_else(|| {
        let what = "a list of models that is none".to_owned();
        Error::UpstreamUnexpected { provider: target.upstream.name.to_string(), what }
    })
}
