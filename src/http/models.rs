//! `GET /v1/models`: the configured names, and what the providers themselves list.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Path};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::state::{Context, State};
use crate::config::stream::Stream as StreamConfig;
use crate::dialect::OpenAiChat;
use crate::error::Error;
use crate::upstream::{self, Target, Upstream, UpstreamRequest};

/// Lists change seldom, and frontends ask at every page load.
const FRESH_FOR: Duration = Duration::from_secs(60);
/// A provider that does not answer must not hold up the others' models for long.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// The models as they were last listed.
#[derive(Debug, Default)]
pub(super) struct Catalog(Mutex<Option<(Instant, Arc<Vec<Value>>)>>);

impl Catalog {
    /// The models, asked for anew if the last list is old. Whoever waits here waits for one and the same list.
    async fn models(&self, state: &State) -> Arc<Vec<Value>> {
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
    let models = context.state.catalog.models(&context.state).await;
    json_response(&json!({ "object": "list", "data": *models }))
}

/// `GET /v1/models/{id}`
pub(super) async fn get(Extension(context): Extension<Context>, Path(id): Path<String>) -> Result<Response, Error> {
    let models = context.state.catalog.models(&context.state).await;
    match models.iter().find(|model| model["id"] == id) {
        Some(model) => Ok(json_response(model)),
        None => Err(Error::ModelNotFound { model: id }),
    }
}

fn json_response(value: &Value) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], value.to_string()).into_response()
}

/// All models, and whether every provider answered.
async fn list_all(state: &State) -> (Vec<Value>, bool) {
    let mut asking = JoinSet::new();
    for (index, upstream) in state.routes.upstreams().iter().enumerate() {
        let (upstream, config) = (Arc::clone(upstream), state.config.stream.clone());
        asking.spawn(async move { (index, list_one(upstream, config).await) });
    }
    let mut lists = asking.join_all().await;
    lists.sort_by_key(|(index, _)| *index);

    let mut models: Vec<Value> = configured(state).collect();
    let mut complete = true;
    for (index, list) in lists {
        let upstream = &state.routes.upstreams()[index];
        match list {
            Ok(list) => models.extend(list.into_iter().map(|model| named_for_clients(model, upstream, state))),
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

fn configured(state: &State) -> impl Iterator<Item = Value> {
    state.config.models.iter().flat_map(|model| {
        std::iter::once(&model.name)
            .chain(&model.aliases)
            .map(|name| json!({ "id": name, "object": "model", "created": 0, "owned_by": model.targets[0].provider }))
    })
}

/// `model` under the name that leads to it here.
fn named_for_clients(mut model: Value, upstream: &Upstream, state: &State) -> Value {
    if !state.routes.is_default(upstream)
        && let Some(id) = model["id"].as_str()
    {
        model["id"] = format!("{}/{id}", upstream.name).into();
    }
    model
}

async fn list_one(upstream: Arc<Upstream>, config: StreamConfig) -> Result<Vec<Value>, Error> {
    let request = UpstreamRequest {
        dialect: &OpenAiChat,
        method: Method::GET,
        path: "/models".to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        model_span: 0..0,
    };
    let config = StreamConfig { response_timeout: LIST_TIMEOUT, idle_timeout: LIST_TIMEOUT, ..config };
    let answer =
        upstream::fetch(&[Target { upstream: Arc::clone(&upstream), model: Arc::default() }], &request, &config)
            .await?;
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    // Together answers with a bare array.
    let list = if body.is_array() { body.take() } else { body["data"].take() };
    let Value::Array(models) = list else {
        let what = "a list of models that is none".to_owned();
        return Err(Error::UpstreamUnexpected { provider: upstream.name.to_string(), what });
    };
    Ok(models.into_iter().filter(|model| model["id"].is_string()).collect())
}
