//! Asks the plan's calls one after another and judges what comes back. Whoever holds a [`Survey`] makes the calls.
//!
//! An answer is one of three things: what is set, that nothing is set (`Absent`), or a failure. A failure leaves its part
//! incomplete and is evidence of nothing. Before a member that is stored is recorded as gone, it is asked for by name, and at
//! the end the pool is asked once more: a pool that vanishes half-way makes everything look absent.
//!
//! Invariant: nothing that is stored is found absent or gone unless the pool still answered after it.

mod answer;
mod asking;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use self::answer::{Meaning, meaning};
pub use self::answer::{NOT_ITS_OWN, NOTHING_SET};
use super::{Captured, Content, normal::clean, plan};
use crate::{
    error::{Error, ErrorKind},
    marks::Part,
    time::Timestamp,
};

/// Most pages of one list; 1,000 app clients have 17.
const PAGES_MAX: u32 = 100;
/// An operation that failed so often is not asked again by this survey. One that is denied is asked once.
const FAILURES_MAX: u32 = 3;

/// One call to make.
#[derive(Clone, Debug)]
pub struct Call {
    /// The part that it is for.
    pub part: Part,
    /// The operation.
    pub operation: &'static str,
    /// Its input.
    pub input: Value,
    absence: plan::Absence,
    then: Then,
}

/// What to do with the answer.
#[derive(Clone, Debug)]
enum Then {
    /// Keep it as a member.
    Keep(Keep),
    /// It is this page of a list.
    Page(&'static plan::Listing, u32),
    /// It only shows that the pool is still there.
    StillThere,
}

#[derive(Clone, Debug)]
struct Keep {
    name: String,
    /// The member of the answer; `None` keeps all of it.
    member: Option<&'static str>,
    /// What the kept part has to say of itself, unless it is somebody else's.
    own: Option<(&'static str, String)>,
    /// It is stored, and missing from its list.
    missed: bool,
}

/// What a survey found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Members, as they are now. What was not asked, or not answered, is not among them.
    pub captured: Vec<Captured>,
    /// What is not there, with the code that says so.
    pub absent: BTreeMap<(Part, String), String>,
    /// Parts of which something could not be read, with the first reason.
    pub incomplete: BTreeMap<Part, Error>,
    /// Calls, by operation.
    pub calls: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Walk,
    Missed,
    StillThere,
    Done,
}

/// What decides about the calls for each app client.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    managed_login: bool,
    classic_ui: bool,
    threat_protection: bool,
    session_tracking: bool,
}

/// A survey of one pool.
#[derive(Debug)]
pub struct Survey {
    pool: String,
    stored: BTreeMap<Part, BTreeSet<String>>,
    marked: BTreeSet<Part>,
    skipped: BTreeSet<Part>,
    queue: VecDeque<Call>,
    phase: Phase,
    facts: Facts,
    listed: BTreeMap<Part, BTreeSet<String>>,
    /// Lists that were read to their end, and when.
    fully_listed: BTreeMap<Part, (&'static str, Timestamp)>,
    /// Operations that have nothing to say in this pool: since when, and the code.
    unavailable: BTreeMap<&'static str, (Timestamp, String)>,
    failures: BTreeMap<&'static str, (u32, Error)>,
    /// `DescribeUserPool` failed: nothing is known.
    failed: Option<Error>,
    findings: Findings,
}

impl Survey {
    /// Begins. `stored` names the members that the backup holds with content; of a part in `marked` everything is asked.
    #[must_use]
    pub fn new(pool: &str, stored: BTreeMap<Part, BTreeSet<String>>, marked: BTreeSet<Part>) -> Self {
        let mut survey = Self {
            pool: pool.to_owned(),
            stored,
            marked,
            skipped: BTreeSet::new(),
            queue: VecDeque::new(),
            phase: Phase::Walk,
            facts: Facts::default(),
            listed: BTreeMap::new(),
            fully_listed: BTreeMap::new(),
            unavailable: BTreeMap::new(),
            failures: BTreeMap::new(),
            failed: None,
            findings: Findings::default(),
        };
        survey.ask_single(&plan::POOL);
        survey
    }

    /// The next call, or `None` when everything is asked. Its answer goes to [`Self::answered`] before the next one.
    pub fn next_call(&mut self) -> Option<Call> {
        while self.failed.is_none() && self.phase != Phase::Done {
            while let Some(call) = self.queue.pop_front() {
                if self.is_worth_asking(&call) {
                    *self.findings.calls.entry(call.operation).or_default() += 1;
                    return Some(call);
                }
            }
            self.phase = match self.phase {
                Phase::Walk => {
                    self.ask_for_missed();
                    Phase::Missed
                }
                Phase::Missed => {
                    self.ask_whether_still_there();
                    Phase::StillThere
                }
                Phase::StillThere | Phase::Done => Phase::Done,
            };
        }
        None
    }

    /// The answer to `call`, which was made at `read_at`.
    pub fn answered(&mut self, call: &Call, answer: Result<Value, Error>, read_at: Timestamp) {
        match (&call.then, answer) {
            (Then::Keep(keep), Ok(answer)) => self.keep(call, keep, answer, read_at),
            (Then::Page(listing, page), Ok(answer)) => self.page(call, listing, *page, &answer, read_at),
            (Then::StillThere, Ok(_)) => {}
            (Then::StillThere, Err(error)) if error.kind != ErrorKind::NotFound => self.withdraw(&error),
            (_, Err(error)) if call.operation == plan::POOL.operation => self.failed = Some(error),
            (_, Err(error)) => match meaning(call.operation, &error, call.absence) {
                Meaning::Absent(code) => self.absent(call, &code, read_at),
                Meaning::Unavailable(code) => {
                    self.absent(call, &code, read_at);
                    self.unavailable.insert(call.operation, (read_at, code));
                }
                Meaning::Failed => self.fail(call, error),
            },
        }
    }

    /// What was found.
    ///
    /// # Errors
    /// When `DescribeUserPool` itself failed: `NotFound` for a pool that does not exist. Nothing is known then.
    pub fn finish(self) -> Result<Findings, Error> {
        self.failed.map_or(Ok(self.findings), Err)
    }

    fn fail(&mut self, call: &Call, error: Error) {
        let failure = self.failures.entry(call.operation).or_insert((0, error.clone()));
        failure.0 += 1;
        self.findings.incomplete.entry(call.part).or_insert(error);
    }

    fn keep(&mut self, call: &Call, keep: &Keep, answer: Value, read_at: Timestamp) {
        let kept = match answer::part_of(call.operation, keep.member, answer) {
            Ok(kept) => kept,
            Err(error) => return self.fail(call, error),
        };
        if let Some((member, value)) = &keep.own
            && kept.get(member).and_then(Value::as_str) != Some(value)
        {
            return self.absent(call, NOT_ITS_OWN, read_at);
        }
        if call.absence == plan::Absence::Feature && answer::sets_nothing(&kept) {
            return self.absent(call, NOTHING_SET, read_at);
        }
        if answer::is_empty(&kept) {
            return self.fail(call, answer::without(call.operation, keep.member.unwrap_or("content")));
        }
        self.follow(call, keep, &kept, read_at);
        self.capture(call, &keep.name, Content::Json(clean(call.part, kept)), read_at);
    }

    fn absent(&mut self, call: &Call, code: &str, read_at: Timestamp) {
        match &call.then {
            Then::Keep(keep) if keep.missed => self.gone(call.part, &keep.name, call.operation, read_at),
            Then::Keep(keep) => {
                self.findings
                    .absent
                    .insert((call.part, keep.name.clone()), code.to_owned());
                // A member that never had anything is not worth an item; that the pool has not is.
                if self.is_stored(call.part, &keep.name) || plan::listed(call.part, &keep.name).is_none() {
                    self.capture(call, &keep.name, Content::Absent(code.to_owned()), read_at);
                }
            }
            // The list of a feature that is not there. That what is stored is gone, it does not say.
            Then::Page(listing, _) => {
                let name = listing.entries.to_owned();
                self.findings.absent.insert((call.part, name), code.to_owned());
            }
            Then::StillThere => {}
        }
    }

    /// A stored member is gone, and with an app client everything that it had.
    fn gone(&mut self, list: Part, owner: &str, source: &'static str, read_at: Timestamp) {
        for (part, names) in &self.stored {
            let owned = names
                .iter()
                .filter(|name| plan::listed(*part, name) == Some((list, owner)));
            self.findings.captured.extend(owned.map(|name| Captured {
                part: *part,
                name: name.clone(),
                source,
                read_at,
                content: Content::Deleted(read_at),
            }));
        }
    }

    fn capture(&mut self, call: &Call, name: &str, content: Content, read_at: Timestamp) {
        self.findings.captured.push(Captured {
            part: call.part,
            name: name.to_owned(),
            source: call.operation,
            read_at,
            content,
        });
    }

    fn is_stored(&self, part: Part, name: &str) -> bool {
        self.stored.get(&part).is_some_and(|names| names.contains(name))
    }

    /// Whether this says that something stored is no more.
    fn takes_away(&self, captured: &Captured) -> bool {
        !matches!(captured.content, Content::Json(_)) && self.is_stored(captured.part, &captured.name)
    }

    /// The pool did not answer in the end: what looked absent may only have been out of reach.
    fn withdraw(&mut self, error: &Error) {
        let (doubtful, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.findings.captured)
            .into_iter()
            .partition(|captured| self.takes_away(captured));
        self.findings.captured = kept;
        for captured in doubtful {
            self.findings
                .incomplete
                .entry(captured.part)
                .or_insert_with(|| error.clone());
        }
    }
}
