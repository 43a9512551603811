//! Every schedule of a few threads: one runs at a time, and each lock and each file call that others
//! can see is a point where another may go on instead.
//!
//! A schedule is run from its beginning each time: first along a prefix of choices, then with the
//! thread that runs running on. Going back over the last choice that has an alternative walks the
//! whole tree, as deep as it may: a thread that could go on gives way only so often.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;
use crate::tiers::locks::Rank;
use crate::tiers::locks::shim::{Steer, steered_by};

/// More steps than any schedule takes; who takes more does not come to an end.
const MOST_STEPS: usize = 5_000;

/// What a thread is about to do.
#[derive(Clone, Debug)]
enum Point {
    Begin,
    Lock(Rank, usize),
    Call(&'static str, String),
}

/// One of the threads.
#[derive(Clone, Debug)]
enum Stand {
    /// Goes on when it is chosen.
    At(Point),
    Running,
    Done,
}

/// Whose turn it was to go on.
#[derive(Clone, Debug)]
struct Choice {
    /// Who could; the first is who did before, where it can go on.
    threads: Vec<usize>,
    taken: usize,
    /// Whether another than the first means that a thread gives way that could go on.
    gives_way: bool,
}

/// One schedule as it happens.
pub(super) struct Schedule {
    state: Mutex<State>,
    chosen: Condvar,
}

struct State {
    prefix: Vec<usize>,
    choices: Vec<Choice>,
    stands: Vec<Stand>,
    running: Option<usize>,
    holders: HashMap<usize, usize>,
    steps: Vec<(usize, Point)>,
    is_stuck: bool,
}

/// One thread of a schedule.
struct Actor {
    schedule: Arc<Schedule>,
    number: usize,
}

/// A thread that takes every lock and makes every call at once.
pub(super) struct Unhindered;

/// Makes points of the file calls; removals may be refused.
#[derive(Default)]
pub(super) struct Points {
    pub(super) refused: Mutex<Option<rustix::io::Errno>>,
}

thread_local! {
    static ACTOR: RefCell<Option<Arc<Actor>>> = const { RefCell::new(None) };
}

/// Runs every schedule of `threads` threads in which at most `bound` times one gives way that could
/// go on; returns how many there were.
pub(super) fn explore(threads: usize, bound: usize, mut run: impl FnMut(&Arc<Schedule>)) -> usize {
    let (mut prefix, mut explored) = (Vec::new(), 0);
    loop {
        let schedule = Arc::new(Schedule::new(prefix, threads));
        run(&schedule);
        explored += 1;
        let state = schedule.state.lock();
        match next(&state.choices, bound) {
            Some(next) => prefix = next,
            None => return explored,
        }
    }
}

/// The choices that lead to the next schedule.
fn next(choices: &[Choice], bound: usize) -> Option<Vec<usize>> {
    let ways_given = |choices: &[Choice]| {
        let gave_way = |choice: &&Choice| choice.gives_way && choice.taken > 0;
        choices.iter().filter(gave_way).count()
    };
    let last = (0..choices.len()).rfind(|&last| {
        let choice = &choices[last];
        let may = !choice.gives_way || ways_given(&choices[..last]) < bound;
        may && choice.taken + 1 < choice.threads.len()
    })?;
    let mut next: Vec<usize> = choices[..=last].iter().map(|choice| choice.taken).collect();
    next[last] += 1;
    Some(next)
}

// === impl Schedule ===

impl Schedule {
    fn new(prefix: Vec<usize>, threads: usize) -> Self {
        Self {
            state: Mutex::new(State {
                prefix,
                choices: Vec::new(),
                stands: vec![Stand::At(Point::Begin); threads],
                running: None,
                holders: HashMap::new(),
                steps: Vec::new(),
                is_stuck: false,
            }),
            chosen: Condvar::new(),
        }
    }

    /// Runs the threads to their end; one that panicked does so here.
    pub(super) fn run(self: &Arc<Self>, acts: Vec<Box<dyn FnOnce() + Send + '_>>) {
        let ended: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = acts
                .into_iter()
                .enumerate()
                .map(|(number, act)| {
                    let schedule = Arc::clone(self);
                    scope.spawn(move || Actor { schedule, number }.run(act))
                })
                .collect();
            self.state.lock().choose(None);
            self.chosen.notify_all();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        if let Some(panicked) = ended.into_iter().find_map(Result::err) {
            resume_unwind(panicked);
        }
    }

    /// Steps taken so far.
    pub(super) fn now(&self) -> usize {
        self.state.lock().steps.len()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        for (thread, point) in &state.steps {
            let indent = " ".repeat(thread * 24);
            match point {
                Point::Begin => writeln!(f, "{indent}begins")?,
                Point::Lock(rank, _) => writeln!(f, "{indent}{rank:?}")?,
                Point::Call(call, file) => writeln!(f, "{indent}{call} {file}")?,
            }
        }
        for (thread, stand) in state.stands.iter().enumerate() {
            if !matches!(stand, Stand::Done) {
                writeln!(f, "thread {thread} never ended: {stand:?}")?;
            }
        }
        f.write_char('\n')
    }
}

// === impl State ===

impl State {
    fn can_go_on(&self, thread: usize) -> bool {
        match &self.stands[thread] {
            Stand::At(Point::Lock(_, lock)) => !self.holders.contains_key(lock),
            Stand::At(_) => true,
            Stand::Running | Stand::Done => false,
        }
    }

    /// Chooses who goes on after `last`.
    fn choose(&mut self, last: Option<usize>) {
        let mut threads: Vec<usize> = (0..self.stands.len())
            .filter(|&thread| self.can_go_on(thread))
            .collect();
        threads.sort_by_key(|&thread| (Some(thread) != last, thread));
        let gives_way = last.is_some() && threads.first().copied() == last;
        self.running = match threads.as_slice() {
            [] => None,
            [only] => Some(*only),
            _ => {
                let taken = self.prefix.get(self.choices.len()).copied().unwrap_or(0);
                let chosen = threads.get(taken).copied();
                assert!(chosen.is_some(), "a schedule is not the same twice");
                self.choices.push(Choice {
                    threads,
                    taken,
                    gives_way,
                });
                chosen
            }
        };
        let is_over = self.stands.iter().all(|it| matches!(it, Stand::Done));
        self.is_stuck = self.running.is_none() && !is_over || self.steps.len() > MOST_STEPS;
    }
}

// === impl Actor ===

impl Actor {
    fn run(self, act: impl FnOnce()) -> thread::Result<()> {
        let this = Arc::new(self);
        ACTOR.set(Some(Arc::clone(&this)));
        let steered = steered_by(Arc::clone(&this) as Arc<dyn Steer>);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            this.wait();
            act();
        }));
        drop(steered);
        ACTOR.set(None);
        let mut state = this.schedule.state.lock();
        state.stands[this.number] = Stand::Done;
        state.choose(None);
        this.schedule.chosen.notify_all();
        ended
    }

    /// Lets whoever is chosen go on, and returns when it is this thread.
    fn reach(&self, point: Point) {
        if thread::panicking() {
            return;
        }
        let mut state = self.schedule.state.lock();
        state.stands[self.number] = Stand::At(point);
        state.choose(Some(self.number));
        if state.running != Some(self.number) {
            self.schedule.chosen.notify_all();
        }
        drop(state);
        self.wait();
    }

    fn wait(&self) {
        let mut state = self.schedule.state.lock();
        while state.running != Some(self.number) && !state.is_stuck {
            self.schedule.chosen.wait(&mut state);
        }
        assert!(!state.is_stuck, "no thread can go on");
        let stand = std::mem::replace(&mut state.stands[self.number], Stand::Running);
        if let Stand::At(point) = stand {
            if let Point::Lock(_, lock) = point {
                state.holders.insert(lock, self.number);
            }
            state.steps.push((self.number, point));
        }
    }
}

impl Steer for Actor {
    fn wants(&self, rank: Rank, address: usize) {
        // The others guard figures, and nobody holds one of them at a point.
        if rank <= Rank::Index {
            self.reach(Point::Lock(rank, address));
        }
    }

    fn passes(&self, step: &'static str) {
        self.reach(Point::Call(step, String::new()));
    }

    fn released(&self, address: usize) {
        self.schedule.state.lock().holders.remove(&address);
    }
}

// === impl Unhindered ===

impl Steer for Unhindered {
    fn wants(&self, _: Rank, _: usize) {}

    fn passes(&self, _: &'static str) {}

    fn released(&self, _: usize) {}
}

// === impl Points ===

impl Watch for Points {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let point = match call {
            Call::Open(path) => Point::Call("open", name(path)),
            Call::Read(_, offset, _) => Point::Call("read at", offset.to_string()),
            Call::Rename(from, _) => Point::Call("rename", name(from)),
            Call::Remove(path) => Point::Call("remove", name(path)),
            Call::MakeFolder(path) => Point::Call("make", name(path)),
            Call::List(path) => Point::Call("list", name(path)),
            // What the page cache holds is another thing each time.
            Call::Peek(..) => return Err(io::ErrorKind::WouldBlock.into()),
            // A draft's file is nobody else's.
            _ => return Ok(()),
        };
        if let Some(actor) = ACTOR.with_borrow(Clone::clone) {
            actor.reach(point);
        }
        match (call, *self.refused.lock()) {
            (Call::Remove(path), Some(reason)) if !is_draft(path) => Err(reason.into()),
            _ => Ok(()),
        }
    }
}

fn is_draft(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "draft")
}

mod tests {
    use super::*;
    use crate::tiers::locks::Lock;

    type Act<'a> = Box<dyn FnOnce() + Send + 'a>;

    #[test]
    fn every_order_is_run_once() {
        let (left, right) = (Lock::new(Rank::Index, ()), Lock::new(Rank::Index, ()));
        let twice = |lock: &Lock<()>| {
            drop(lock.lock());
            drop(lock.lock());
        };
        let mut orders = std::collections::HashSet::new();
        let mut run = |schedule: &Arc<Schedule>| {
            let acts: [Act<'_>; 2] = [Box::new(|| twice(&left)), Box::new(|| twice(&right))];
            schedule.run(acts.into());
            let state = schedule.state.lock();
            let order: Vec<usize> = state.steps.iter().map(|(thread, _)| *thread).collect();
            assert!(orders.insert(order));
        };
        // Three steps each: of six, three are the first thread's.
        assert_eq!(explore(2, usize::MAX, &mut run), 20);
    }

    #[test]
    fn an_update_that_some_order_loses_is_lost_in_one_schedule() {
        let mut ends = Vec::new();
        explore(2, 1, |schedule| {
            let figure = Lock::new(Rank::Index, 0);
            let add = || {
                let read = *figure.lock();
                *figure.lock() = read + 1;
            };
            let acts: [Act<'_>; 2] = [Box::new(add), Box::new(add)];
            schedule.run(acts.into());
            ends.push(*figure.lock());
        });
        assert!(ends.contains(&1) && ends.contains(&2), "{ends:?}");
    }

    #[test]
    #[should_panic(expected = "no thread can go on")]
    fn a_thread_that_waits_for_ever_is_found_out() {
        explore(2, 0, |schedule| {
            let lock = Lock::new(Rank::Section, ());
            let take: Act<'_> = Box::new(|| std::mem::forget(lock.lock()));
            let want: Act<'_> = Box::new(|| drop(lock.lock()));
            schedule.run(vec![take, want]);
        });
    }
}
