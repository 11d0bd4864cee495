//! The configuration as it was at an instant.
//!
//! A version says when its content was first read, and was in force, as far as the backup knows, until the next one was. The
//! snapshot is nightly: a change shows from the night after it.
//!
//! Invariant: what the history no longer reaches back to is named, and is not taken for "not there".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Content, Json,
    stored::{Body, Stored},
    survey::Findings,
};
use crate::{
    error::Error,
    item::{CONFIG_CHUNK_PREFIX, Key},
    marks::Part,
    port::Document,
    time::Timestamp,
};

/// A configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// What is known of each member, by part and name.
    pub members: BTreeMap<(Part, String), Held>,
    /// Members that are older than their history: they were there or not, and nobody can tell.
    pub unknown: BTreeSet<(Part, String)>,
}

/// What is known of one member.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// When this was first read.
    pub read_at: Timestamp,
    /// The operation that showed it.
    pub source: String,
    /// What it showed.
    pub content: Content,
}

impl Configuration {
    /// The configuration that a survey found, as it is now.
    #[must_use]
    pub fn of_findings(findings: Findings) -> Self {
        let members = findings.captured.into_iter().map(|captured| {
            let held = Held {
                read_at: captured.read_at,
                source: captured.source.to_owned(),
                content: captured.content,
            };
            ((captured.part, captured.name), held)
        });
        Self {
            members: members.collect(),
            unknown: BTreeSet::new(),
        }
    }

    /// What a member is set to, when it is set.
    #[must_use]
    pub fn json(&self, part: Part, name: &str) -> Option<&Value> {
        self.json_of(part).find(|(of, _)| *of == name).map(|(_, json)| json)
    }

    /// The members of a part that are set, by name.
    pub fn json_of(&self, part: Part) -> impl Iterator<Item = (&str, &Value)> {
        let of_part = self.members.iter().filter(move |((of, _), _)| *of == part);
        of_part.filter_map(|((_, name), held)| match &held.content {
            Content::Json(json) => Some((name.as_str(), json.expose())),
            _ => None,
        })
    }

    /// What is set, as one tree: part, member, JSON. Every part is in it, so that members are compared one by one; what is
    /// absent or deleted is not.
    #[must_use]
    pub fn tree(&self) -> Json {
        let parts = Part::ALL.into_iter().filter(|part| *part != Part::Users);
        let members_of = |part: Part| {
            let set = self.json_of(part).map(|(name, json)| (name.to_owned(), json.clone()));
            Value::Object(set.collect())
        };
        Json::new(Value::Object(
            parts.map(|part| (part.as_str().to_owned(), members_of(part))).collect(),
        ))
    }
}

/// Versions of one member, by number, each with its pool.
type History<'a> = BTreeMap<u64, (Stored, &'a str)>;

/// The configuration at `instant`, from the heads, versions and pieces of a pool, in any order.
///
/// # Errors
/// `BadItem` when a document is none of these, or when pieces are missing.
pub fn at(documents: &[Document], instant: Timestamp) -> Result<Configuration, Error> {
    let (pieces, rest): (Vec<_>, Vec<_>) = documents
        .iter()
        .partition(|document| document.key.sk.starts_with(CONFIG_CHUNK_PREFIX));
    let pieces: BTreeMap<Key, &Document> = pieces.into_iter().map(|piece| (piece.key.clone(), piece)).collect();
    let mut histories: BTreeMap<(Part, String), History<'_>> = BTreeMap::new();
    for document in rest {
        let stored = Stored::parse(document)?;
        let member = (stored.part, stored.name.clone());
        let history = histories.entry(member).or_default();
        history.insert(document.version, (stored, document.pool.as_str()));
    }
    let mut configuration = Configuration::default();
    for (member, history) in histories {
        // Read by two clocks, a later version may claim to be earlier: the version decides.
        let held = history.values().rev().find(|(stored, _)| since(stored) <= instant);
        match held {
            Some((stored, pool)) => {
                let held = Held {
                    read_at: stored.read_at,
                    source: stored.source.clone(),
                    content: stored.content(pool, &pieces)?,
                };
                configuration.members.insert(member, held);
            }
            // The first version is the first that was ever read: before it there was nothing to know.
            None if history.contains_key(&1) => {}
            None => {
                configuration.unknown.insert(member);
            }
        }
    }
    Ok(configuration)
}

fn since(stored: &Stored) -> Timestamp {
    match stored.body {
        Body::DeletedAt(at) => at,
        _ => stored.read_at,
    }
}
