//! One visit of a client: what it does, and what it must see.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;

use super::dice::Dice;
use super::stage::{DEAF, REFUSING, SPARE};
use crate::client::{Answer, Client, ErrorReply, Reply};
use crate::fault::{FAULTS, Fault, RETRY_AFTER, TOO_MANY};
use crate::http::bad;
use crate::scenario::next_id;
use crate::script::Script;
use crate::upstream::{Upstream, wait_for};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Whole,
    Short,
    Burst,
    Spare,
    Slow,
    Stalled,
    LeaveInHead,
    LeaveInBody,
    LeaveWhileConnecting,
    LeaveBeforeFirst,
    LeaveBetween,
    LeaveBeforeEnd,
    Refused,
    Deaf,
    Faulty(usize),
}

/// How often each is chosen. A fault is drawn separately from all of them.
const MIX: &[(u64, Kind)] = &[
    (26, Kind::Whole),
    (20, Kind::Short),
    (4, Kind::Burst),
    (3, Kind::Spare),
    (3, Kind::Slow),
    (3, Kind::Stalled),
    (3, Kind::LeaveInHead),
    (3, Kind::LeaveInBody),
    (2, Kind::LeaveWhileConnecting),
    (6, Kind::LeaveBeforeFirst),
    (6, Kind::LeaveBetween),
    (4, Kind::LeaveBeforeEnd),
    (2, Kind::Refused),
    (1, Kind::Deaf),
    (14, Kind::Faulty(0)),
];

impl Kind {
    pub fn draw(dice: &mut Dice) -> Self {
        match dice.weighted(MIX) {
            Self::Faulty(_) => Self::Faulty(dice.number(0..FAULTS.len() as u64) as usize),
            kind => kind,
        }
    }

    pub fn name(self) -> String {
        let name = match self {
            Self::Whole => "whole: any length and pace",
            Self::Short => "whole: one to three tokens",
            Self::Burst => "whole: some MiB at once",
            Self::Spare => "whole: the second target, as the first refuses",
            Self::Slow => "whole: read at some KiB per second",
            Self::Stalled => "left: not read for long",
            Self::LeaveInHead => "left: connected, or in the request's head",
            Self::LeaveInBody => "left: in the request's body",
            Self::LeaveWhileConnecting => "left: while the proxy connects",
            Self::LeaveBeforeFirst => "left: before the first token",
            Self::LeaveBetween => "left: between tokens",
            Self::LeaveBeforeEnd => "left: between the last token and the end",
            Self::Refused => "told: upstream refuses the connection",
            Self::Deaf => "told: upstream does not take the connection",
            Self::Faulty(number) => return format!("told: {}", FAULTS[number].name),
        };
        name.to_owned()
    }
}

pub struct Visitor {
    pub target: SocketAddr,
    pub upstream: Upstream,
    pub dice: Dice,
    /// A connection that can be used again.
    kept: Option<Client>,
}

impl Visitor {
    pub fn new(target: SocketAddr, upstream: Upstream, dice: Dice) -> Self {
        Self { target, upstream, dice, kept: None }
    }

    pub async fn visit(&mut self, kind: Kind) -> io::Result<()> {
        match kind {
            Kind::Whole => self.whole(1..300, 500, "").await,
            Kind::Short => self.whole(1..4, 0, "").await,
            Kind::Spare => self.whole(1..20, 0, SPARE).await,
            Kind::Burst => self.burst().await,
            Kind::Slow => self.slow().await,
            Kind::Stalled => self.stalled().await,
            Kind::LeaveInHead => self.leave_in_request(0..200).await,
            Kind::LeaveInBody => self.leave_in_request(600..1000).await,
            Kind::LeaveWhileConnecting => self.leave_while_connecting().await,
            Kind::LeaveBeforeFirst => self.leave_before_first().await,
            Kind::LeaveBetween => self.leave_between(false).await,
            Kind::LeaveBeforeEnd => self.leave_between(true).await,
            Kind::Refused => self.told(REFUSING, None, &["upstream_unreachable"]).await,
            Kind::Deaf => self.told(DEAF, None, &["connect_timeout"]).await,
            Kind::Faulty(number) => self.told("", FAULTS.get(number), FAULTS[number].told).await,
        }
    }

    /// A connection: often the last one again.
    async fn client(&mut self) -> io::Result<Client> {
        let again = self.dice.percent(70);
        match self.kept.take().filter(|client| again && client.is_open()) {
            Some(client) => Ok(client),
            None => Client::connect(self.target).await,
        }
    }

    /// Any pace from ten tokens per second to two thousand; now and then all at once.
    fn pace(&mut self) -> Duration {
        if self.dice.percent(15) { Duration::ZERO } else { self.dice.millis(5..100) / self.dice.number(1..10) as u32 }
    }

    async fn ask_whole(&mut self, client: &mut Client, script: &Script) -> io::Result<()> {
        client.ask(script, |_| {}).await.map(|_| ())
    }

    async fn whole(&mut self, tokens: std::ops::Range<u64>, delay: u64, provider: &'static str) -> io::Result<()> {
        let script = Script {
            tokens: self.dice.number(tokens),
            interval: self.pace(),
            first_delay: self.dice.millis(0..delay + 1),
            pad: self.dice.number(0..400) as usize,
            provider,
            ..Script::default()
        };
        let mut client = self.client().await?;
        self.ask_whole(&mut client, &script).await?;
        self.kept = Some(client);
        Ok(())
    }

    async fn burst(&mut self) -> io::Result<()> {
        let (tokens, pad) = (self.dice.number(1000..8000), self.dice.number(0..1000) as usize);
        let mut client = self.client().await?;
        self.ask_whole(&mut client, &Script { tokens, pad, ..Script::default() }).await?;
        self.kept = Some(client);
        Ok(())
    }

    /// Little by little; often more than all buffers on the way hold.
    async fn slow(&mut self) -> io::Result<()> {
        let (per_second, seconds) = (self.dice.number(8..64), self.dice.number(4..12));
        let script = Script { tokens: per_second * seconds, pad: 800, ..Script::default() };
        let mut client = Client::connect_small(self.target, 8 * 1024).await?;
        client.send(&script).await?;
        let mut answer = client.answer().await?;
        let mut before = 0;
        while answer.read(&mut client, |_| {}).await? {
            let bytes = (answer.tokens() - before) * 1024;
            before = answer.tokens();
            sleep(Duration::from_micros(bytes * 1_000_000 / (per_second * 1024))).await;
        }
        answer.expect_whole(script.tokens)
    }

    /// Longer than the proxy's patience, or shorter.
    async fn stalled(&mut self) -> io::Result<()> {
        let script = Script { id: next_id(), tokens: u64::MAX, pad: 1000, ..Script::default() };
        let mut client = Client::connect(self.target).await?;
        client.send(&script).await?;
        let mut answer = client.answer().await?;
        let some = self.dice.number(1..100);
        while answer.tokens() < some && answer.read(&mut client, |_| {}).await? {}
        sleep(self.dice.millis(500..14_000)).await;
        self.leave(client, script.id).await
    }

    async fn leave_in_request(&mut self, thousandths: std::ops::Range<u64>) -> io::Result<()> {
        let script = Script { id: next_id(), tokens: 1, ..Script::default() };
        let mut client = self.client().await?;
        client.send_part(&script, self.dice.number(thousandths) as usize).await?;
        sleep(self.dice.millis(0..300)).await;
        self.leave(client, script.id).await?;
        match self.upstream.take_record(script.id) {
            Some(_) => Err(bad("the upstream was asked although the request was not whole")),
            None => Ok(()),
        }
    }

    async fn leave_while_connecting(&mut self) -> io::Result<()> {
        let script = Script { id: next_id(), tokens: 1, provider: DEAF, ..Script::default() };
        let mut client = self.client().await?;
        client.send(&script).await?;
        sleep(self.dice.millis(0..1500)).await;
        self.leave(client, script.id).await
    }

    async fn leave_before_first(&mut self) -> io::Result<()> {
        let (interval, first_delay) = (Duration::from_millis(10), Duration::from_secs(60));
        let script = Script { id: next_id(), tokens: 5, interval, first_delay, ..Script::default() };
        let mut client = self.client().await?;
        client.send(&script).await?;
        // At once, or while the head is still held, or once it has gone out without a token.
        let wait = if self.dice.percent(30) { 0..3 } else { 0..2000 };
        sleep(self.dice.millis(wait)).await;
        self.leave(client, script.id).await
    }

    async fn leave_between(&mut self, behind_the_last: bool) -> io::Result<()> {
        let read = self.dice.number(1..60);
        let script = Script {
            id: next_id(),
            tokens: if behind_the_last { read } else { 10_000 },
            interval: self.pace(),
            first_delay: Duration::from_micros(1),
            hold: true,
            ..Script::default()
        };
        let mut client = self.client().await?;
        client.send(&script).await?;
        let mut answer = client.answer().await?;
        while answer.tokens() < read {
            if !answer.read(&mut client, |_| {}).await? {
                return Err(bad("the answer ended early"));
            }
        }
        sleep(self.dice.millis(0..200)).await;
        self.leave(client, script.id).await
    }

    /// Leaves, by an end or by a reset; the upstream must see it soon, if it has seen the request.
    async fn leave(&mut self, client: Client, id: u64) -> io::Result<()> {
        match self.dice.percent(50) {
            true => client.reset()?,
            false => drop(client),
        }
        // A request may still be on its way.
        sleep(Duration::from_millis(50)).await;
        if let Some(record) = self.upstream.take_record(id) {
            wait_for("the close", || record.closed_at.get()).await?;
        }
        Ok(())
    }

    /// Asks for what cannot be answered, and must be told so.
    async fn told(&mut self, provider: &'static str, fault: Option<&'static Fault>, told: &[&str]) -> io::Result<()> {
        let tokens = if self.dice.percent(30) { 0 } else { self.dice.number(1..40) };
        let interval = self.pace();
        let first_delay = Duration::from_micros(1);
        let script = Script { tokens, interval, first_delay, provider, fault, ..Script::default() };
        let mut client = self.client().await?;
        client.send(&script).await?;
        match client.reply().await? {
            Reply::Error(error) => expect_error(&error, fault, told)?,
            Reply::Stream(mut answer) => {
                while answer.read(&mut client, |_| {}).await? {}
                expect_told(&answer, &script, told)?;
            }
        }
        self.kept = Some(client);
        Ok(())
    }
}

fn expect_error(error: &ErrorReply, fault: Option<&Fault>, told: &[&str]) -> io::Result<()> {
    let again = fault.is_none_or(|fault| fault.name != TOO_MANY) || error.retry_after.as_deref() == Some(RETRY_AFTER);
    if error.status < 400 || !told.contains(&error.kind.as_str()) || !again {
        return Err(bad(format!("answered {error:?} instead of {told:?}")));
    }
    Ok(())
}

/// That there was an error and no `[DONE]`, the answer itself has checked.
fn expect_told(answer: &Answer, script: &Script, told: &[&str]) -> io::Result<()> {
    let code = answer.error().ok_or_else(|| bad("it ended without an error"))?;
    let in_stream = script.fault.is_some_and(|fault| fault.when == crate::fault::When::AfterTokens);
    let due = if in_stream { script.tokens } else { 0 };
    let is_due = answer.tokens() == due || script.fault.is_some_and(|fault| !fault.keeps_tokens());
    if !told.contains(&code) || answer.is_done() || !is_due {
        return Err(bad(format!("told {code} after {} of {due} tokens instead of {told:?}", answer.tokens())));
    }
    Ok(())
}
