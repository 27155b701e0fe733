//! The command line.

mod banner;
mod health;
mod reload;
mod serve;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Sources;
use crate::config::provider::BaseUrl;

const EXAMPLES: &str = "\
Examples:
  sluicegate                                              a demo: no key, no network
  OPENAI_API_KEY=sk-… sluicegate                          OpenAI's models
  sluicegate serve --upstream http://127.0.0.1:8000/v1    any OpenAI-compatible server
  sluicegate serve --config sluicegate.toml               providers, model names, client keys, limits
  sluicegate check --config sluicegate.toml               what that comes to, secrets masked

Every key of the configuration, with its default, is in config/default.toml; `sluicegate check` prints them too.
Any key can be set in the environment: SLUICEGATE__SERVER__LISTEN=127.0.0.1:9000
SIGHUP or a changed file reloads the configuration; SIGTERM drains, a second one ends at once.";

/// A streaming proxy for LLM tokens: OpenAI-compatible, server-sent events, cancelled upstream the moment the client leaves.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    sources: SourceArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy (the default)
    Serve(SourceArgs),
    /// Print the merged configuration, secrets masked; fail with the path of the key that is wrong
    Check(SourceArgs),
    /// Run only the built-in demo upstream
    Demo {
        /// Address and port to listen on
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
        listen: SocketAddr,
    },
    /// Ask a running server whether it lives; for container health checks
    Health(SourceArgs),
}

#[derive(Debug, Args)]
struct SourceArgs {
    /// Configuration file (TOML); also read from SLUICEGATE_CONFIG
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on, instead of server.listen
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// URL of an OpenAI-compatible server; every model name passes through to it
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    upstream: Option<BaseUrl>,
}

fn parse_url(text: &str) -> Result<BaseUrl, String> {
    BaseUrl::try_from(text.to_owned())
}

impl SourceArgs {
    fn into_sources(self) -> Sources {
        let named = std::env::var_os("SLUICEGATE_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        Sources {
            file: self.config.or(named),
            listen: self.listen,
            upstream: self.upstream,
            // Variables that are not text cannot be ours.
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        }
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or(Command::Serve(cli.sources)) {
        Command::Serve(args) => serve::serve(args.into_sources()),
        Command::Check(args) => check(&args.into_sources()),
        Command::Demo { listen } => serve::demo(listen),
        Command::Health(args) => health::check(&args.into_sources()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn check(sources: &Sources) -> Result<(), String> {
    let config = sources.load().map_err(|error| error.to_string())?;
    say(config.to_toml().trim_end());
    Ok(())
}

/// Prints `text` for whoever reads standard output, if anybody still does.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "sluicegate: {message}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
