//! A changed configuration takes effect without a restart, touches nothing that runs, and must be a good one.

use std::path::PathBuf;
use std::sync::Arc;

use crate::support::{
    Client, DONE, FINISH, Program, Proxy, ROLE, Script, Upstream, chat, key, provider, request, soon, token,
};

/// Says who it is, at once or as a stream that goes on for a little while.
async fn upstream(name: &'static str) -> Upstream {
    Upstream::start_with(move |request| {
        if request.body.windows(13).any(|window| window == b"\"stream\":true") {
            Script::stream().send(ROLE).send(token(name)).wait(500).send(token("end")).send(FINISH).send(DONE).end()
        } else {
            Script::json("200 OK", &format!(r#"{{"id":"{name}","choices":[]}}"#))
        }
    })
    .await
}

/// Who answers `model`.
async fn answers(proxy: &Proxy, model: &str) -> (u16, String) {
    let response = proxy.post("/v1/chat/completions", chat(false).replace("\"m\"", &format!("\"{model}\""))).await;
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn new_requests_follow_the_new_configuration_and_running_streams_the_old() {
    let (old, new) = (upstream("old").await, upstream("new").await);
    let proxy = Proxy::before(&old).await;
    let mut running = Client::chat(proxy.address, true).await;
    running.read_until("old").await;
    let mut kept = Client::connect(proxy.address).await;
    kept.send(&request("/v1/chat/completions", &chat(false))).await;
    assert!(kept.response().await.body.contains("old"));

    let mut config = (**proxy.config.borrow()).clone();
    config.providers = vec![provider("a", &new.url()), provider("b", &old.url())];
    config.models = vec![toml::from_str("name = \"fresh\"\ntargets = [\"a/m\"]").unwrap()];
    proxy.config.send_replace(Arc::new(config));
    soon("the new configuration", async {
        while answers(&proxy, "fresh").await.1 != r#"{"id":"new","choices":[]}"# {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(answers(&proxy, "m").await.0, 404);
    // The connection is old, the request is not.
    kept.send(&request("/v1/chat/completions", &chat(false))).await;
    assert_eq!(kept.response().await.status, 404);
    let stream = running.read_until("[DONE]").await;
    assert!(stream.contains("end") && !stream.contains("error"), "{stream}");
}

#[tokio::test]
async fn the_list_of_models_is_made_anew() {
    let upstream = Upstream::start(Script::json("200 OK", r#"{"object":"list","data":[{"id":"x"}]}"#)).await;
    let proxy = Proxy::before(&upstream).await;
    assert_eq!(proxy.get("/v1/models/x").await.status(), 200);
    let mut config = (**proxy.config.borrow()).clone();
    config.models = vec![toml::from_str("name = \"fresh\"\ntargets = [\"upstream/x\"]").unwrap()];
    proxy.config.send_replace(Arc::new(config));
    soon("the new model", async {
        while proxy.get("/v1/models/fresh").await.status() != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_refused_for_the_old_rules_is_admitted_under_the_new() {
    let upstream = upstream("old").await;
    let proxy = Proxy::configured(&upstream, |config| config.keys = vec![key("k", "right")]).await;
    assert_eq!(answers(&proxy, "m").await.0, 401);
    let mut config = (**proxy.config.borrow()).clone();
    config.keys.clear();
    proxy.config.send_replace(Arc::new(config));
    soon("the end of the keys", async {
        while answers(&proxy, "m").await.0 != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

// === the process ===

/// A configuration file of its own, removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, contents: &str) -> Self {
        let file = Self(std::env::temp_dir().join(format!("sluicegate-{name}-{}.toml", std::process::id())));
        file.write(contents);
        file
    }

    fn write(&self, contents: &str) {
        std::fs::write(&self.0, contents).unwrap();
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file in which the model `name` leads to `upstream`, and a second provider keeps every other name from leading anywhere.
fn naming(name: &str, upstream: &Upstream) -> String {
    let url = upstream.url();
    format!(
        "[[provider]]\nname = \"a\"\nkind = \"compatible\"\nbase_url = \"{url}\"\n\
         [[provider]]\nname = \"b\"\nkind = \"compatible\"\nbase_url = \"{url}\"\n\
         [[model]]\nname = \"{name}\"\ntargets = [\"a/m\"]\n"
    )
}

async fn status(program: &Program, model: &str) -> u16 {
    let mut client = Client::connect(program.address().await).await;
    client.send(&request("/v1/chat/completions", &chat(false).replace("\"m\"", &format!("\"{model}\"")))).await;
    client.response().await.status
}

async fn until_known(program: &Program, model: &str) {
    soon(&format!("the model {model}"), async {
        while status(program, model).await != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_changed_file_is_noticed_and_a_bad_one_refused() {
    let upstream = upstream("it").await;
    let file = File::new("watched", &naming("first", &upstream));
    // One worker: whoever is asked has the configuration that was last taken up.
    let workers = [("SLUICEGATE__SERVER__WORKERS", "1")];
    let program = Program::start(&["serve", "--config", file.path(), "--listen", "127.0.0.1:0"], &workers);
    assert_eq!((status(&program, "first").await, status(&program, "second").await), (200, 404));

    let mut running = Client::connect(program.address().await).await;
    running.send(&request("/v1/chat/completions", &chat(true).replace("\"m\"", "\"first\""))).await;
    running.read_until("it").await;
    file.write(&naming("second", &upstream));
    until_known(&program, "second").await;
    assert_eq!(status(&program, "first").await, 404);
    program.says("the configuration has been reloaded").await;
    running.read_until("[DONE]").await;

    file.write("[[model]]\nname = \"third\"\ntargets = [\"nobody/m\"]\n");
    program.says("the configuration is not reloaded: model[0].targets").await;
    assert_eq!(status(&program, "second").await, 200);
}

#[tokio::test]
async fn sighup_reloads_at_once() {
    let upstream = upstream("it").await;
    let file = File::new("signalled", &naming("first", &upstream));
    let workers = [("SLUICEGATE__SERVER__WORKERS", "1")];
    let mut program = Program::start(&["--config", file.path(), "--listen", "127.0.0.1:0"], &workers);
    assert_eq!(status(&program, "first").await, 200);
    for (name, other) in [("second", "first"), ("third", "second")] {
        file.write(&naming(name, &upstream));
        program.signal("HUP");
        until_known(&program, name).await;
        assert_eq!(status(&program, other).await, 404);
    }

    for bad in [
        "nonsense",
        "[server]\nlisten = \"nowhere\"",
        "[[provider]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"a\\nb\"",
    ] {
        file.write(bad);
        let before = program.errors().matches("is not reloaded").count();
        program.signal("HUP");
        soon("the refusal", async {
            while program.errors().matches("is not reloaded").count() == before {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await;
        assert_eq!(status(&program, "third").await, 200);
    }
    // With nothing changed there is nothing to say, and a signal is no reason to end.
    file.write(&naming("third", &upstream));
    program.signal("HUP");
    until_known(&program, "third").await;
    assert!(program.is_running());
}

#[tokio::test]
async fn what_takes_a_restart_is_said_to() {
    let upstream = upstream("it").await;
    let file = File::new("restart", &naming("first", &upstream));
    let program = Program::start(&["--config", file.path(), "--listen", "127.0.0.1:0"], &[]);
    program.address().await;
    file.write(&format!("[server]\nmax_connections = 7\n{}", naming("first", &upstream)));
    program.signal("HUP");
    program.says("take full effect only after a restart").await;
}
