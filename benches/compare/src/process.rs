//! What the kernel tells of processes: CPU time, memory, cores, limits.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::process::id;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::http::bad;

/// A process with its descendants (nginx's master does nothing, its worker all).
#[derive(Clone, Debug)]
pub struct Family(Vec<u32>);

impl Family {
    pub fn of(ancestor: u32) -> io::Result<Self> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
                parents.extend(parent(pid).map(|parent| (pid, parent)));
            }
        }
        let mut members = vec![ancestor];
        let mut at = 0;
        while let Some(&member) = members.get(at) {
            let children = parents.iter().filter(|(_, parent)| *parent == member);
            members.extend(children.map(|(pid, _)| *pid));
            at += 1;
        }
        Ok(Self(members))
    }

    pub fn this_process() -> Self {
        Self(vec![id()])
    }

    pub fn pids(&self) -> &[u32] {
        &self.0
    }

    /// CPU time of all threads that live, in nanoseconds. The kernel's `stat` counts in
    /// ticks of 10 ms, too coarse for a few seconds of a proxy that does little.
    pub fn cpu_ns(&self) -> io::Result<u64> {
        let mut sum = 0;
        for pid in &self.0 {
            for task in fs::read_dir(format!("/proc/{pid}/task"))? {
                // A thread may end between the listing and the look at it.
                let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                    continue;
                };
                sum += first_number(&text).ok_or_else(|| bad("bad schedstat"))?;
            }
        }
        Ok(sum)
    }

    /// Memory held by all the processes, with the pages they share counted once.
    pub fn memory_kib(&self) -> io::Result<u64> {
        let field = if self.0.len() == 1 { "Rss:" } else { "Pss:" };
        self.sum(|pid| number_in(pid, "smaps_rollup", field))
    }

    pub fn threads(&self) -> io::Result<u64> {
        self.sum(|pid| number_in(pid, "status", "Threads:"))
    }

    /// Open files, sockets included.
    pub fn files(&self) -> io::Result<u64> {
        self.sum(|pid| Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64))
    }

    /// Connections on which both sides may still speak.
    pub fn established(&self) -> io::Result<u64> {
        self.sum(established)
    }

    fn sum(&self, each: impl Fn(u32) -> io::Result<u64>) -> io::Result<u64> {
        self.0.iter().map(|&pid| each(pid)).sum()
    }
}

/// The number behind `field` in one of a process's files.
fn number_in(pid: u32, file: &str, field: &str) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(first_number).ok_or_else(|| bad(format!("bad {file}")))
}

fn established(pid: u32) -> io::Result<u64> {
    let mut own = HashSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A file may be closed between the listing and the look at it.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        let inode = target.to_str().and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']'));
        own.extend(inode.map(str::to_owned));
    }
    // The fourth field is the state, the tenth the inode.
    let text = fs::read_to_string(format!("/proc/{pid}/net/tcp"))?;
    let lines = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let mine =
        lines.filter(|fields| fields.get(3) == Some(&"01") && fields.get(9).is_some_and(|&inode| own.contains(inode)));
    Ok(mine.count() as u64)
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it is in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn first_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Which core does what: one for the proxy, another for the upstream and the load.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    pub proxy: usize,
    pub generator: usize,
}

impl Cores {
    pub fn choose() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
        let (Some(generator), Some(proxy)) = (cores.next(), cores.next()) else {
            return Err(bad("two cores are needed: one for the proxy, one for the rest"));
        };
        Ok(Self { proxy, generator })
    }
}

impl Cores {
    /// How long both have been busy with anything since the machine started, in nanoseconds;
    /// the time other machines took from this one's included.
    pub fn busy_ns(&self) -> io::Result<u64> {
        let tick = 1_000_000_000 / clock_ticks_per_second();
        let stat = fs::read_to_string("/proc/stat")?;
        let mut sum = 0;
        for core in [self.proxy, self.generator] {
            let line = stat.lines().find_map(|line| line.strip_prefix(&format!("cpu{core} ")));
            sum += line.and_then(busy_ticks).ok_or_else(|| bad("bad /proc/stat"))? * tick;
        }
        Ok(sum)
    }
}

fn busy_ticks(line: &str) -> Option<u64> {
    let fields: Option<Vec<u64>> = line.split_ascii_whitespace().map(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = fields?[..] else {
        return None;
    };
    Some(user + nice + system + irq + softirq + steal)
}

/// Pins the calling thread, and what it starts from now on, to one core.
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Raises the limit of open files as far as allowed, for all that is started later too.
pub fn raise_file_limit() -> io::Result<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(limit.current.unwrap_or(u64::MAX))
}
