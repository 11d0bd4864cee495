//! How captures lie in the table: a head for each member, superseded versions beside it, and pieces of what is too large.
//!
//! A head is replaced in four steps, in this order: the pieces of the new content, the old head as a version with an end, the
//! new head, an end for the pieces that only old versions need. A crash after any of them loses nothing, and the next run goes
//! on from there, because every key but the head's says what is under it.
//!
//! Invariant: a head is written only when it differs, and only over the version that was read. Heads never end, not even those
//! that say that a member is gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Captured, Content, Json, normal::comparison_hash};
use crate::{
    canon::{ContentHash, canonical_bytes},
    error::{Error, ErrorKind},
    item::{Key, SCHEMA_VERSION, config_chunk_key, config_chunks, config_key, config_version_key},
    marks::Part,
    personal::Personal,
    port::Document,
    time::Timestamp,
};

/// Largest content of one item, in bytes. DynamoDB takes 400 KiB an item, names and keys included.
pub const CHUNK_BYTES_MAX: usize = 350 * 1_024;

/// The body of a head or version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The part.
    pub part: Part,
    /// The member.
    pub name: String,
    /// The operation that showed it.
    pub source: String,
    /// When this content was first read.
    pub read_at: Timestamp,
    /// [`comparison_hash`] of the content; empty when there is none.
    pub hash: String,
    /// The content.
    #[serde(flatten)]
    pub body: Body,
}

/// Content, as an item holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The JSON itself.
    Json(Json),
    /// JSON in pieces.
    Chunks(Chunks),
    /// Nothing is set, says this code.
    Absent(String),
    /// Found gone at this instant. The last content is in the newest version.
    DeletedAt(Timestamp),
}

/// Where the pieces of a content are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunks {
    /// SHA-256 of the whole text.
    pub sha256: String,
    /// How many there are.
    pub count: u32,
}

/// What to write for one difference, in the order of the members.
#[derive(Clone, Debug, PartialEq)]
pub struct Writes {
    /// Pieces of the new content; those that exist already say the same.
    pub chunks: Vec<Document>,
    /// The old head as a version; the same again when it exists already.
    pub aside: Option<Document>,
    /// The new head.
    pub head: Document,
    /// The version that it replaces.
    pub replaced: Option<u64>,
}

impl Stored {
    /// Reads a head's or version's body.
    ///
    /// # Errors
    /// `BadItem`, which names the key and quotes nothing.
    pub fn parse(document: &Document) -> Result<Self, Error> {
        serde_json::from_str(document.body.expose()).map_err(|_| bad(&document.key))
    }

    /// Whether there is content, in one piece or in several.
    #[must_use]
    pub fn has_content(&self) -> bool {
        matches!(self.body, Body::Json(_) | Body::Chunks(_))
    }

    /// Whether a read that shows `captured` brings nothing new.
    #[must_use]
    pub fn is_same_as(&self, captured: &Captured) -> bool {
        match &captured.content {
            Content::Json(json) => self.has_content() && self.hash == comparison_hash(captured.part, json),
            // Nothing is nothing, whatever says so.
            Content::Absent(_) | Content::Deleted(_) => !self.has_content(),
        }
    }

    /// The content, put together from its pieces.
    ///
    /// # Errors
    /// `BadItem` when a piece is missing or is another content's.
    pub fn content(&self, pool: &str, chunks: &BTreeMap<Key, &Document>) -> Result<Content, Error> {
        match &self.body {
            Body::Json(json) => Ok(Content::Json(json.clone())),
            Body::Absent(code) => Ok(Content::Absent(code.clone())),
            Body::DeletedAt(at) => Ok(Content::Deleted(*at)),
            Body::Chunks(pieces) => {
                let key = |index| config_chunk_key(pool, self.part, &self.name, &pieces.sha256, index);
                let mut text = String::new();
                for index in 0..pieces.count {
                    let piece = chunks.get(&key(index)).ok_or_else(|| bad(&key(index)))?;
                    text.push_str(piece.body.expose());
                }
                if ContentHash::of_bytes(text.as_bytes()).to_string() != pieces.sha256 {
                    return Err(bad(&key(0)));
                }
                let json = serde_json::from_str(&text).map_err(|_| bad(&key(0)))?;
                Ok(Content::Json(json))
            }
        }
    }
}

/// What to write so that the table says `captured` instead of `head`; `None` when it says so already.
///
/// # Errors
/// `BadItem` when `head` is none.
pub fn writes(
    pool: &str,
    head: Option<&Document>,
    captured: &Captured,
    now: Timestamp,
    retention_seconds: i64,
) -> Result<Option<Writes>, Error> {
    if let Some(head) = head
        && Stored::parse(head)?.is_same_as(captured)
    {
        return Ok(None);
    }
    let (hash, body, pieces) = lay_out(pool, captured);
    let stored = Stored {
        part: captured.part,
        name: captured.name.clone(),
        source: captured.source.to_owned(),
        read_at: captured.read_at,
        hash,
        body,
    };
    let document = |key: Key, version: u64, body: String| Document {
        key,
        schema_version: SCHEMA_VERSION,
        pool: pool.to_owned(),
        version,
        written_at: now,
        expires_at: None,
        body: Personal::new(body),
    };
    let replaced = head.map(|head| head.version);
    let key = config_key(pool, captured.part, &captured.name);
    Ok(Some(Writes {
        chunks: pieces.into_iter().map(|(key, piece)| document(key, 1, piece)).collect(),
        aside: head.map(|head| Document {
            key: config_version_key(pool, captured.part, &captured.name, head.version),
            expires_at: Some(now.as_seconds() + retention_seconds),
            ..head.clone()
        }),
        head: document(key, replaced.unwrap_or(0) + 1, text_of(&stored)),
        replaced,
    }))
}

/// The pieces, of those found under [`crate::item::config_chunks`], that only old versions need and that have no end yet; with
/// an end.
///
/// # Errors
/// `BadItem` when `head` is none.
pub fn outdated_chunks(
    found: &[Document],
    head: &Document,
    now: Timestamp,
    retention_seconds: i64,
) -> Result<Vec<Document>, Error> {
    let stored = Stored::parse(head)?;
    let current = match &stored.body {
        Body::Chunks(chunks) => chunks.sha256.as_str(),
        _ => "",
    };
    let prefix = config_chunks(&head.pool, stored.part, &stored.name).sk;
    let is_outdated = |chunk: &&Document| {
        let rest = chunk.key.sk.strip_prefix(&prefix).and_then(|rest| rest.split_once('#'));
        // The name of another member may go on with what looks like the beginning of a hash, but not with the whole of one.
        rest.is_some_and(|(hash, index)| hash.len() == HASH_DIGITS && !index.contains('#') && hash != current)
            && chunk.expires_at.is_none()
    };
    let end = |chunk: &Document| Document {
        version: chunk.version + 1,
        written_at: now,
        expires_at: Some(now.as_seconds() + retention_seconds),
        ..chunk.clone()
    };
    Ok(found.iter().filter(is_outdated).map(end).collect())
}

/// Hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;

/// Hash, body and pieces of what was captured.
fn lay_out(pool: &str, captured: &Captured) -> (String, Body, Vec<(Key, String)>) {
    let json = match &captured.content {
        Content::Absent(code) => return (String::new(), Body::Absent(code.clone()), Vec::new()),
        Content::Deleted(at) => return (String::new(), Body::DeletedAt(*at), Vec::new()),
        Content::Json(json) => json,
    };
    let hash = comparison_hash(captured.part, json);
    let text = text_of(json);
    if text.len() <= CHUNK_BYTES_MAX {
        return (hash, Body::Json(json.clone()), Vec::new());
    }
    let sha256 = ContentHash::of_bytes(text.as_bytes()).to_string();
    let key = |index| config_chunk_key(pool, captured.part, &captured.name, &sha256, index);
    let pieces: Vec<_> = (0..)
        .map(key)
        .zip(split(&text))
        .map(|(key, piece)| (key, piece.to_owned()))
        .collect();
    let count = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    (hash, Body::Chunks(Chunks { sha256, count }), pieces)
}

/// Cuts a text into pieces of [`CHUNK_BYTES_MAX`] at most, between characters.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let fits = (0..=CHUNK_BYTES_MAX.min(rest.len()))
            .rev()
            .find(|at| rest.is_char_boundary(*at));
        let (piece, left) = rest.split_at(fits.unwrap_or(rest.len()));
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

fn text_of<T: Serialize>(content: &T) -> String {
    String::from_utf8_lossy(&canonical_bytes(content)).into_owned()
}

fn bad(key: &Key) -> Error {
    Error::new(
        ErrorKind::BadItem,
        format!(
            "the configuration item {} is not one that Twinpool wrote, or is incomplete",
            key.sk
        ),
    )
}
