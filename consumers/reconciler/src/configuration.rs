//! The configuration snapshot: asks the pool for everything that it is set to, and writes what differs.
//!
//! What to ask and what an answer means is decided in [`twinpool_shared::snapshot`]; here it is asked, compared and written, in
//! an order in which a crash loses nothing.
//!
//! Invariant: a mark is cleared only when its part was read completely, after the mark was set, and is stored.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use twinpool_shared::{
    error::{Error, ErrorKind},
    item::{Key, config_chunks, config_key},
    marks::Part,
    port::{Backup, Clock, Document, RawPool, Written},
    snapshot::{
        Captured,
        reading::{ask, heads, parts},
        stored::{Stored, outdated_chunks, writes},
        survey::{Findings, Survey},
    },
};

/// How often a head is read again that somebody else wrote meanwhile.
const CONFLICTS_MAX: u32 = 6;

/// What a capture came to. Counts instead of names: it is the answer of a step, and those are limited to 256 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureReport {
    /// Parts that were read completely.
    pub captured: BTreeSet<Part>,
    /// How many members differed and were written, by part.
    pub written: BTreeMap<Part, u64>,
    /// How often something is not there, by part and by the code that says so: AWS's, or a reason of
    /// [`twinpool_shared::snapshot::survey`].
    pub absent: BTreeMap<Part, BTreeMap<String, u64>>,
    /// Parts of which something could not be read. What is stored of them stays as it was.
    pub incomplete: Vec<Incomplete>,
    /// Calls to Cognito, by operation.
    pub calls: BTreeMap<String, u64>,
}

/// A part that could not be read completely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incomplete {
    /// The part.
    pub part: Part,
    /// What failed first, and what to do about it.
    pub reason: String,
}

/// Reads the configuration of `pool` and writes what differs. Doing it twice writes nothing the second time.
///
/// # Errors
/// When `DescribeUserPool` fails (`NotFound`: the pool does not exist), or as DynamoDB answers. Parts that cannot be read are
/// no error; the report names them.
pub async fn capture<R: RawPool, B: Backup>(
    raw: &R,
    backup: &B,
    clock: &Clock,
    pool: &str,
    retention_seconds: i64,
) -> Result<CaptureReport, Error> {
    let marks = backup.marks(pool).await?;
    let mut heads = heads(backup, pool).await?;
    let begun = clock();
    let marked = marks.iter().map(|(part, _)| *part).collect();
    let findings = ask(raw, clock, Survey::new(pool, with_content(&heads)?, marked)).await?;
    let store = Store {
        backup,
        clock,
        pool,
        retention_seconds,
    };
    let mut written = BTreeMap::new();
    for captured in &findings.captured {
        let head = heads.remove(&config_key(pool, captured.part, &captured.name));
        if store.put(captured, head).await? {
            *written.entry(captured.part).or_default() += 1;
        }
    }
    let captured = complete(&findings);
    for (part, at) in marks {
        if captured.contains(&part) && at < begun {
            // A conflict is a newer mark, which stays.
            backup.clear_mark(pool, part, at).await?;
        }
    }
    Ok(report(captured, written, findings))
}

fn with_content(heads: &BTreeMap<Key, Document>) -> Result<BTreeMap<Part, BTreeSet<String>>, Error> {
    let mut names: BTreeMap<Part, BTreeSet<String>> = BTreeMap::new();
    for head in heads.values() {
        let stored = Stored::parse(head)?;
        if stored.has_content() {
            names.entry(stored.part).or_default().insert(stored.name);
        }
    }
    Ok(names)
}

fn complete(findings: &Findings) -> BTreeSet<Part> {
    parts().filter(|part| !findings.incomplete.contains_key(part)).collect()
}

fn report(captured: BTreeSet<Part>, written: BTreeMap<Part, u64>, findings: Findings) -> CaptureReport {
    let mut absent: BTreeMap<Part, BTreeMap<String, u64>> = BTreeMap::new();
    for ((part, _), code) in findings.absent {
        *absent.entry(part).or_default().entry(code).or_default() += 1;
    }
    let incomplete = findings.incomplete.into_iter().map(|(part, error)| Incomplete {
        part,
        reason: error.to_string(),
    });
    let calls = findings
        .calls
        .into_iter()
        .map(|(operation, calls)| (operation.to_owned(), calls));
    CaptureReport {
        captured,
        written,
        absent,
        incomplete: incomplete.collect(),
        calls: calls.collect(),
    }
}

/// Writes members of one pool's configuration.
struct Store<'a, B> {
    backup: &'a B,
    clock: &'a Clock,
    pool: &'a str,
    retention_seconds: i64,
}

impl<B: Backup> Store<'_, B> {
    /// Makes the table say `captured` instead of `head`. Whether it had to be written.
    async fn put(&self, captured: &Captured, mut head: Option<Document>) -> Result<bool, Error> {
        for _ in 0..CONFLICTS_MAX {
            let now = (self.clock)();
            let next = writes(self.pool, head.as_ref(), captured, now, self.retention_seconds)?;
            let Some(next) = next else {
                return Ok(false);
            };
            for chunk in &next.chunks {
                self.put_chunk(chunk).await?;
            }
            if let Some(aside) = &next.aside {
                // A conflict is the same version, put aside by a run that was killed right after.
                self.backup.put_document(aside, None).await?;
            }
            if self.backup.put_document(&next.head, next.replaced).await? == Written::Stored {
                self.end_outdated_chunks(captured, &next.head).await?;
                return Ok(true);
            }
            head = self.backup.document(&next.head.key).await?;
            let newer = head.as_ref().map(Stored::parse).transpose()?;
            if newer.is_some_and(|newer| newer.read_at > captured.read_at) {
                // Somebody else read later and wrote first.
                return Ok(false);
            }
        }
        let what = format!(
            "the configuration of {} was written by too many at once",
            captured.part.as_str()
        );
        Err(Error::new(ErrorKind::Contended, what))
    }

    /// Stores a piece for as long as a head needs it, also when it is there already, with an end.
    async fn put_chunk(&self, chunk: &Document) -> Result<(), Error> {
        let mut replaced = None;
        for _ in 0..CONFLICTS_MAX {
            let next = Document {
                version: replaced.unwrap_or(0) + 1,
                ..chunk.clone()
            };
            if self.backup.put_document(&next, replaced).await? == Written::Stored {
                return Ok(());
            }
            match self.backup.document(&chunk.key).await? {
                Some(there) if there.expires_at.is_none() && there.body == chunk.body => return Ok(()),
                there => replaced = there.map(|there| there.version),
            }
        }
        let what = "a piece of the configuration was written by too many at once";
        Err(Error::new(ErrorKind::Contended, what))
    }

    /// Gives an end to the pieces that only superseded versions need.
    async fn end_outdated_chunks(&self, captured: &Captured, head: &Document) -> Result<(), Error> {
        let all = config_chunks(self.pool, captured.part, &captured.name);
        let found = self.backup.documents(&all.pk, &all.sk).await?;
        let now = (self.clock)();
        for ended in outdated_chunks(&found, head, now, self.retention_seconds)? {
            // A conflict is somebody else who gives it an end, or who needs it again.
            self.backup.put_document(&ended, Some(ended.version - 1)).await?;
        }
        Ok(())
    }
}
