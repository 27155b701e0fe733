//! The program as people meet it: what it prints, what it refuses, and that it runs with nothing at all.

use std::net::TcpListener;
use std::path::PathBuf;

use crate::support::{Client, Program, Script, Upstream, client, request, soon};

const ANYWHERE: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// Runs `sluicegate check` on a file with these contents: whether it succeeded, its output and its errors.
async fn check(contents: &str, environment: &[(&str, &str)]) -> (bool, String, String) {
    let file = File::new(contents);
    Program::run(&["check", "--config", file.path()], environment).await
}

/// A configuration file of its own, removed at the end.
struct File(PathBuf);

impl File {
    fn new(contents: &str) -> Self {
        let name = format!("sluicegate-{}-{:?}.toml", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, contents).unwrap();
        Self(path)
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

// === help ===

#[tokio::test]
async fn help_teaches() {
    let (success, help, _) = Program::run(&["--help"], &[]).await;
    assert!(success);
    for taught in [
        "serve",
        "check",
        "demo",
        "health",
        "--config",
        "--listen",
        "--upstream",
        "OPENAI_API_KEY=",
        "SLUICEGATE__",
        "config/default.toml",
        "SIGHUP",
        "SIGTERM",
    ] {
        assert!(help.contains(taught), "{taught} is not in\n{help}");
    }
    let (success, version, _) = Program::run(&["--version"], &[]).await;
    assert!(success && version == format!("sluicegate {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_a_hint() {
    for (arguments, hint) in [
        (&["--confg", "x"][..], "--config"),
        (&["serv"], "serve"),
        (&["--listen", "8080"], "--listen"),
        (&["--upstream", "localhost:8000"], "http://"),
        (&["--upstream", "http://user:canary@localhost/v1"], "api_key"),
    ] {
        let (success, output, errors) = Program::run(arguments, &[]).await;
        assert!(!success && output.is_empty() && errors.contains(hint), "{arguments:?}: {errors}");
    }
}

// === check ===

#[tokio::test]
async fn check_prints_what_all_sources_come_to_with_secrets_masked() {
    let secret = File::new("canary-from-file\n");
    let file = format!(
        "[server]\nmax_connections = 5\n\
         [[provider]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"${{A_KEY}}\"\nheaders = {{ x-team = \"canary-header\" }}\n\
         [[provider]]\nname = \"b\"\nkind = \"groq\"\napi_key = \"${{file:{}}}\"\n\
         [[key]]\nname = \"alice\"\nsecret = \"canary-client\"\n",
        secret.path()
    );
    let environment = [("A_KEY", "canary-variable"), ("SLUICEGATE__STREAM__KEEP_ALIVE", "off")];
    let (success, output, errors) = {
        let path = std::env::temp_dir().join(format!("sluicegate-merged-{}.toml", std::process::id()));
        std::fs::write(&path, file).unwrap();
        let result =
            Program::run(&["check", "--config", path.to_str().unwrap(), "--listen", "127.0.0.1:7"], &environment).await;
        std::fs::remove_file(path).unwrap();
        result
    };
    assert!(success, "{errors}");
    assert!(!format!("{output}{errors}").contains("canary"), "{output}");
    let config: toml::Table = output.parse().unwrap();
    assert_eq!(config["server"]["listen"].as_str(), Some("127.0.0.1:7"));
    assert_eq!(config["server"]["max_connections"].as_integer(), Some(5));
    assert_eq!(config["server"]["drain_timeout"].as_str(), Some("30s"));
    assert_eq!(config["stream"]["keep_alive"].as_str(), Some("off"));
    assert_eq!(config["provider"][0]["api_key"].as_str(), Some("********"));
    assert_eq!(config["provider"][0]["headers"]["x-team"].as_str(), Some("********"));
    assert_eq!(config["provider"][1]["base_url"].as_str(), Some("https://api.groq.com/openai/v1"));
    assert_eq!(config["key"][0]["name"].as_str(), Some("alice"));
}

#[tokio::test]
async fn a_provider_is_found_by_its_key_in_the_environment() {
    let environment = [("OPENAI_API_KEY", "sk-canary"), ("GROQ_API_KEY", " sk-canary\n"), ("XAI_API_KEY", "")];
    let (success, output, _) = Program::run(&["check"], &environment).await;
    assert!(success && !output.contains("canary"), "{output}");
    let config: toml::Table = output.parse().unwrap();
    let names: Vec<_> =
        config["provider"].as_array().unwrap().iter().map(|provider| provider["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["openai", "groq"]);
    assert_eq!(config["provider"][0]["api_key"].as_str(), Some("********"));

    let (_, output, _) = Program::run(&["check", "--upstream", "http://127.0.0.1:9/v1"], &environment).await;
    assert!(!output.contains("openai.com"), "{output}");
}

#[tokio::test]
async fn a_wrong_key_is_named_by_its_path_and_nothing_is_served() {
    // Its port is taken: whoever tried to open it before reading the file would complain of that.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    for (contents, path) in [
        ("[server]\nlisten = \"nowhere\"", "server.listen"),
        ("[server]\nlissten = \"127.0.0.1:1\"", "server.lissten"),
        ("[stream]\nidle_timeout = 5", "stream.idle_timeout"),
        ("[stream]\nmax_frame_bytes = \"0B\"", "stream.max_frame_bytes"),
        ("[cors]\nallowed_origins = [\"localhost\"]", "cors.allowed_origins[0]"),
        ("[[provider]]\nname = \"a\"\nkind = \"none\"", "provider[0].kind"),
        ("[[provider]]\nname = \"a\"\nkind = \"openai\"\nheaders = { \"x y\" = \"canary\" }", "provider[0].headers"),
        ("[[provider]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"${NO_SUCH}\"", "provider[0].api_key"),
        ("[[model]]\nname = \"m\"\ntargets = [\"no/where\"]", "model[0].targets"),
        ("[[key]]\nname = \"k\"\nsecret = \"canary\"\nsha256 = \"canary\"", "key[0].sha256"),
        ("listen = \"canary", "toml:1"),
    ] {
        let file = File::new(contents);
        for arguments in [&["check", "--config", file.path()][..], &["--config", file.path(), "--listen", &listen]] {
            let (success, output, errors) = Program::run(arguments, &[]).await;
            assert!(!success && output.is_empty(), "{contents}: {output}");
            assert!(errors.starts_with("sluicegate: ") && errors.lines().count() == 1, "{errors}");
            assert!(errors.contains(path) && !errors.contains("canary"), "{contents}: {errors}");
        }
    }
    let (success, _, errors) = Program::run(&["check"], &[("SLUICEGATE__SERVER__WORKERS", "many")]).await;
    assert!(!success && errors.contains("server.workers"), "{errors}");
    let (success, _, errors) = Program::run(&["--config", "/no/such/file.toml"], &[]).await;
    assert!(!success && errors.contains("/no/such/file.toml"), "{errors}");
}

#[tokio::test]
async fn a_public_address_without_keys_is_refused_unless_that_is_wanted() {
    let public = ["--listen", "0.0.0.0:0"];
    for arguments in [&public[..], &["check", "--listen", "[::]:80"], &["check", "--listen", "192.168.0.1:80"]] {
        let (success, _, errors) = Program::run(arguments, &[]).await;
        assert!(!success && errors.contains("server.listen") && errors.contains("[[key]]"), "{errors}");
    }
    let keyed = Program::start(&public, &[("SLUICEGATE__KEY", "[{ name = \"me\", secret = \"s\" }]")]);
    keyed.address().await;
    let open = Program::start(&public, &[("SLUICEGATE__SERVER__ALLOW_PUBLIC_WITHOUT_KEYS", "true")]);
    open.address().await;
    assert!(open.output().contains("Warning") && !keyed.output().contains("Warning"), "{}", open.output());
}

#[tokio::test]
async fn a_taken_port_is_said_to_be_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let (success, output, errors) = Program::run(&["--listen", &listen], &[]).await;
    assert!(!success && output.is_empty());
    assert!(errors.contains(&format!("cannot listen on {listen}")), "{errors}");
}

#[tokio::test]
async fn output_that_nobody_reads_is_no_trouble() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sluicegate"));
    let output = command.arg("check").env_clear().stdout(writer).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

// === running ===

#[tokio::test]
async fn with_nothing_at_all_it_streams() {
    let program = Program::start(&ANYWHERE, &[]);
    let address = program.address().await;
    let mut chat = Client::connect(address).await;
    let body = r#"{"model":"demo-fast","stream":true,"max_tokens":20,"messages":[{"role":"user","content":"Hello"}]}"#;
    chat.send(&request("/v1/chat/completions", body)).await;
    chat.read_until("data: [DONE]").await;

    let banner = program.output();
    let lines: Vec<&str> = banner.lines().collect();
    assert!(lines.len() <= 4, "{banner}");
    for said in [
        format!("http://{address}"),
        format!("chat page: http://{address}/"),
        "demo-flaky".to_owned(),
        "curl -N".to_owned(),
    ] {
        assert!(banner.contains(&said), "{said} is not in\n{banner}");
    }
    program.says("outcome=completed").await;
}

#[tokio::test]
async fn the_chat_page_comes_with_its_files_and_a_policy() {
    let program = Program::start(&ANYWHERE, &[]);
    let address = program.address().await;
    let scripts = ["/chat.js", "/sluicegate.js"].map(|path| (path, "text/javascript"));
    for (path, kind) in [("/", "text/html"), ("/chat.css", "text/css")].into_iter().chain(scripts) {
        let response = soon("a file", client().get(format!("http://{address}{path}")).send()).await.unwrap();
        assert_eq!(response.status(), 200);
        let header = |name| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), format!("{kind}; charset=utf-8"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        // What the policy forbids is not there either.
        let text = response.text().await.unwrap();
        for forbidden in ["src=\"http", "href=\"http", "url(http", "<style", " style=", " onclick=", "eval("] {
            assert!(!text.contains(forbidden), "{forbidden} in {path}");
        }
    }
}

#[tokio::test]
async fn the_banner_says_where_models_come_from() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let url = upstream.url();
    let given = Program::start(&[&ANYWHERE[..], &["--upstream", &url]].concat(), &[]);
    given.address().await;
    let found = Program::start(&ANYWHERE, &[("OPENAI_API_KEY", "sk-canary")]);
    found.address().await;
    assert!(given.output().contains(&format!("models *: upstream at {url}, from --upstream")), "{}", given.output());
    let expected = "models *: openai at https://api.openai.com/v1, from OPENAI_API_KEY in the environment";
    assert!(found.output().contains(expected) && !found.output().contains("canary"), "{}", found.output());
}

#[tokio::test]
async fn the_demo_upstream_runs_alone() {
    let program = Program::start(&[&["demo"], &ANYWHERE[..]].concat(), &[]);
    let url = format!("http://{}/v1/models", program.address().await);
    let models = soon("the models", client().get(url).send()).await.unwrap().text().await.unwrap();
    assert!(models.contains("\"demo-stall\""), "{models}");
}

#[tokio::test]
async fn health_is_told_by_the_exit_code() {
    let program = Program::start(&ANYWHERE, &[]);
    let address = program.address().await.to_string();
    assert!(Program::run(&["health", "--listen", &address], &[]).await.0);
    assert!(Program::run(&["health"], &[("SLUICEGATE__SERVER__LISTEN", &address)]).await.0);
    drop(program);
    let (success, _, errors) = Program::run(&["health", "--listen", &address], &[]).await;
    assert!(!success && errors.contains(&address), "{errors}");

    // Something listens, but it is not well.
    let ill = Upstream::start(Script::json("500 Internal Server Error", "{}")).await;
    assert!(!Program::run(&["health", "--listen", &ill.address.to_string()], &[]).await.0);
}

#[tokio::test]
async fn the_file_may_be_named_in_the_environment() {
    let file = File::new("[server]\nmax_headers = 7");
    let (success, output, _) = Program::run(&["check"], &[("SLUICEGATE_CONFIG", file.path())]).await;
    assert!(success && output.contains("max_headers = 7"), "{output}");
    let (success, output, _) = check("[server]\nmax_headers = 8", &[("SLUICEGATE_CONFIG", file.path())]).await;
    assert!(success && output.contains("max_headers = 8"), "{output}");
}
