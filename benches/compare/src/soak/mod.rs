//! Everything that clients and upstreams do, well and badly, for minutes: whether each is told the truth,
//! and whether the proxy is afterwards what it was before.

mod args;
mod dice;
mod report;
mod stage;
mod visit;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::about::{self, about};
use crate::http::bad;
use crate::process::{Family, raise_file_limit};
use crate::scratch::Scratch;
use crate::subject::Place;
use crate::upstream::Upstream;
use crate::watch::{Look, Looks, watch};

pub use args::{Args, HELP};
use dice::Dice;
use report::Soaked;
use stage::Nobody;
use visit::{Kind, Visitor};

const LOOK: Duration = Duration::from_secs(5);
/// An end for a visit that hangs: far longer than any of the proxy's time limits.
const VISIT: Duration = Duration::from_secs(60);
/// Idle connections to the upstream live for 30 s; a little more, until they must be gone.
const QUIET: Duration = Duration::from_secs(45);

/// Visits of each kind, and how many of them did not go as they should.
#[derive(Default)]
pub struct Tally {
    pub visits: BTreeMap<String, (u64, u64)>,
    pub failures: Vec<String>,
}

impl Tally {
    fn note(&mut self, kind: Kind, result: io::Result<()>) {
        let (visits, failed) = self.visits.entry(kind.name()).or_default();
        *visits += 1;
        if let Err(error) = result {
            *failed += 1;
            self.failures.push(format!("{}: {error}", kind.name()));
        }
    }

    fn count(&self) -> u64 {
        self.visits.values().map(|(visits, _)| visits).sum()
    }
}

/// The state of the proxy when nobody wants anything of it.
#[derive(Clone, Copy)]
pub struct Rest {
    pub look: Look,
    pub established: u64,
    /// Connections that the upstream still has.
    pub upstream: u64,
}

/// Says whether every visit went as it should and nothing stayed behind.
pub async fn run(mut args: Args) -> io::Result<bool> {
    let nobody = Nobody::new().await?;
    nobody.configure(&mut args.subject)?;
    let settings = [
        ("seed", args.seed.to_string()),
        ("load", format!("{} clients for {:?}, after {:?} of the same", args.clients, args.load, args.warm_up)),
    ];
    let about = about(&settings, std::slice::from_ref(&args.subject));
    about::print(&about);
    let scratch = Scratch::new()?;
    let upstream = Upstream::start().await?;
    let file_limit = raise_file_limit()?;
    let place = Place { directory: scratch.path(), upstream: upstream.address, cores: None, file_limit };
    let mut started = args.subject.start(&place).await?;
    let running = started.running.as_mut().ok_or_else(|| bad("there is no process to look at"))?;
    let soak = Soak { args: &args, target: started.target, upstream, family: running.family()? };
    let mut soaked = soak.run().await?;
    if let Some(status) = running.child().try_wait()? {
        soaked.tally.failures.push(format!("the proxy ended by itself with {status}"));
    }
    let log = fs::read_to_string(scratch.path().join(format!("{}.log", args.subject.name)))?;
    soaked.tally.failures.extend(log.lines().filter(|line| line.contains("panicked")).map(str::to_owned));
    Ok(soaked.print())
}

struct Soak<'a> {
    args: &'a Args,
    target: SocketAddr,
    upstream: Upstream,
    family: Family,
}

impl Soak<'_> {
    async fn run(&self) -> io::Result<Soaked> {
        let fresh = self.rest().await?;
        eprintln!("warming up for {:?}", self.args.warm_up);
        let warm_up = self.load(self.args.warm_up, 0).await?.0;
        let start = self.rest().await?;
        eprintln!("loading for {:?}", self.args.load);
        let (tally, looks) = self.load(self.args.load, 1).await?;
        eprintln!("waiting until all is quiet");
        let end = self.quiet().await?;
        Ok(Soaked { fresh, start, end, warm_up: warm_up.count(), tally, looks })
    }

    /// Lets all clients make their visits, and the last of them end. `part` is the seed's.
    async fn load(&self, time: Duration, part: u64) -> io::Result<(Tally, Vec<Look>)> {
        let (tally, looks) = (Rc::<RefCell<Tally>>::default(), Looks::default());
        let (until, counted) = (Instant::now() + time, Rc::clone(&tally));
        let count = move || counted.borrow().count();
        let watching = tokio::task::spawn_local(watch(self.family.clone(), LOOK, Rc::clone(&looks), count));
        let mut clients = JoinSet::new();
        for number in 0..self.args.clients as u64 {
            let dice = Dice::new(self.args.seed, 2 * number + part);
            let visitor = Visitor::new(self.target, self.upstream.clone(), dice);
            clients.spawn_local(come_and_go(visitor, until, Rc::clone(&tally)));
        }
        tokio::time::sleep_until(until).await;
        watching.abort();
        clients.join_all().await;
        Ok((tally.take(), looks.take()))
    }

    /// Waits until no client's end is still on its way, and looks.
    async fn rest(&self) -> io::Result<Rest> {
        sleep(Duration::from_secs(1)).await;
        Ok(Rest {
            look: Look::now(&self.family, 0)?,
            established: self.family.established()?,
            upstream: self.upstream.connections() as u64,
        })
    }

    /// Waits until the upstream has no connection left, if that time comes.
    async fn quiet(&self) -> io::Result<Rest> {
        let none = async {
            while self.upstream.connections() > 0 {
                sleep(Duration::from_millis(100)).await;
            }
        };
        // What remains is seen by looking.
        timeout(QUIET, none).await.ok();
        self.rest().await
    }
}

async fn come_and_go(mut visitor: Visitor, until: Instant, tally: Rc<RefCell<Tally>>) {
    while Instant::now() < until {
        let kind = Kind::draw(&mut visitor.dice);
        let result = timeout(VISIT, visitor.visit(kind)).await;
        let result = result.unwrap_or_else(|_| Err(bad(format!("not done within {VISIT:?}"))));
        tally.borrow_mut().note(kind, result);
        sleep(visitor.dice.millis(0..50)).await;
    }
}
