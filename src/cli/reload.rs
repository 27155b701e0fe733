//! A changed configuration, without a restart.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::serve::Demo;
use crate::config::{Config, Sources};

/// How often the file is looked at. Polling sees what file events miss: mounted volumes, swapped symlinks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Reads the sources again whenever `hangup` comes or the file changes, for as long as it is polled.
pub(super) async fn reload(
    sources: &Sources,
    demo: &Demo,
    mut hangup: impl AsyncFnMut(),
    config: &watch::Sender<Arc<Config>>,
) {
    let mut known = modified(sources);
    loop {
        tokio::select! {
            () = hangup() => {}
            () = changed(sources, known) => {}
        }
        // Before it is read: what is written while we read is a change again.
        known = modified(sources);
        match demo.complete(sources) {
            Ok(next) => replace(config, next),
            Err(error) => tracing::error!("the configuration is not reloaded: {error}"),
        }
    }
}

fn replace(config: &watch::Sender<Arc<Config>>, next: Config) {
    let present = Arc::clone(&config.borrow());
    if *present == next {
        return;
    }
    if present.server != next.server || present.log != next.log {
        tracing::warn!("changes in [server] and [log] take full effect only after a restart");
    }
    config.send_replace(Arc::new(next));
    tracing::info!("the configuration has been reloaded");
}

/// Waits until the file is there with another time than `known`.
async fn changed(sources: &Sources, known: Option<SystemTime>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = modified(sources);
        if now.is_some() && now != known {
            return;
        }
    }
}

fn modified(sources: &Sources) -> Option<SystemTime> {
    std::fs::metadata(sources.file.as_ref()?).ok()?.modified().ok()
}
