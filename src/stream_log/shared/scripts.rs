//! What Redis does in one step.

use redis::{Cmd, RedisResult, Script, aio::MultiplexedConnection};

const COMMON: &str = include_str!("scripts/common.lua");

/// The scripts, by what they do; each says in its file what it takes and returns.
pub(super) struct Scripts {
    pub(super) begin: Script,
    pub(super) write: Script,
    pub(super) orphan: Script,
    pub(super) delete: Script,
    pub(super) forget: Script,
    pub(super) pulse: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let script = |code: &str| Script::new(&[COMMON, code].concat());
        Self {
            begin: script(include_str!("scripts/begin.lua")),
            write: script(include_str!("scripts/write.lua")),
            orphan: script(include_str!("scripts/orphan.lua")),
            delete: script(include_str!("scripts/delete.lua")),
            forget: script(include_str!("scripts/forget.lua")),
            pulse: script(include_str!("scripts/pulse.lua")),
        }
    }

    /// Makes them known at the other end of `connection`, so that a call names them and does not carry them.
    pub(super) async fn load(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        for script in [&self.begin, &self.write, &self.orphan, &self.delete, &self.forget, &self.pulse] {
            script.load_async(connection).await?;
        }
        Ok(())
    }
}

/// A call of `script`, to which its arguments are to be added.
pub(super) fn call(script: &Script) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.get_hash()).arg(0);
    call
}
