//! Documents of a run, the members of the groups and the chunks of an import on disk: they are the table's memory, and not what
//! is measured.
//!
//! Invariant: what was put is found again, in the order of its keys.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, ErrorKind as IoKind, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use twinpool_shared::{
    error::{Error, ErrorKind},
    item::Key,
    port::{Document, Written},
};

/// What the sort keys of walked members begin with; behind it: run, prefix, list, attempt, number.
const MEMBERS: &str = "reconcile#members#";
/// What the sort keys of an import's chunks have between the plan and the number.
const CHUNK: &str = "#chunk#";

/// The documents. What is on disk goes when it is dropped.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    others: Mutex<BTreeMap<Key, Document>>,
}

impl Spill {
    /// No documents; `folder` is created.
    pub(super) fn new(folder: PathBuf) -> Result<Self, Error> {
        std::fs::create_dir_all(&folder).map_err(|_| broken("created"))?;
        Ok(Self {
            folder,
            others: Mutex::default(),
        })
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Document>, Error> {
        match self.chunk(key) {
            Some(path) => read(&path),
            None => Ok(self.locked().get(key).cloned()),
        }
    }

    /// Where a chunk is: each is read and written by itself.
    fn chunk(&self, key: &Key) -> Option<PathBuf> {
        let (_, number) = key.sk.rsplit_once(CHUNK)?;
        Some(self.folder.join(format!("chunk-{number}")))
    }

    /// Members are written once, because nobody else is at work here.
    pub(super) fn put(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        let mut others = self.locked();
        if next.key.sk.starts_with(MEMBERS) {
            // One file for each prefix: it is asked for as a whole.
            let name = next.key.sk.rsplitn(4, '#').last().unwrap_or_default();
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(self.folder.join(name));
            let mut line = serde_json::to_vec(next).map_err(|_| broken("written"))?;
            line.push(b'\n');
            let written = file.and_then(|mut file| file.write_all(&line));
            return written.map(|()| Written::Stored).map_err(|_| broken("written"));
        }
        if let Some(path) = self.chunk(&next.key) {
            if read(&path)?.map(|document| document.version) != replaced {
                return Ok(Written::Conflict);
            }
            let json = serde_json::to_vec(next).map_err(|_| broken("written"))?;
            let written = std::fs::write(path, json).map(|()| Written::Stored);
            return written.map_err(|_| broken("written"));
        }
        if others.get(&next.key).map(|document| document.version) != replaced {
            return Ok(Written::Conflict);
        }
        others.insert(next.key.clone(), next.clone());
        Ok(Written::Stored)
    }

    pub(super) fn list(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        if sk_prefix.starts_with(MEMBERS) {
            return self.members(sk_prefix.trim_end_matches('#'));
        }
        let others = self.locked();
        let from = Key {
            pk: pk.to_owned(),
            sk: sk_prefix.to_owned(),
        };
        let found = others.range(from..);
        let found = found.take_while(|(key, _)| key.pk == pk && key.sk.starts_with(sk_prefix));
        Ok(found.map(|(_, document)| document.clone()).collect())
    }

    fn members(&self, name: &str) -> Result<Vec<Document>, Error> {
        let file = match File::open(self.folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == IoKind::NotFound => return Ok(Vec::new()),
            Err(_) => return Err(broken("read")),
        };
        let mut found = Vec::new();
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|_| broken("read"))?;
            found.push(serde_json::from_str::<Document>(&line).map_err(|_| broken("read"))?);
        }
        found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }

    pub(super) fn remove(&self, keys: &[Key]) {
        let mut others = self.locked();
        for key in keys {
            others.remove(key);
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Key, Document>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.folder);
    }
}

/// The document in a file; `None` when there is no file.
fn read(path: &Path) -> Result<Option<Document>, Error> {
    match std::fs::read(path) {
        Ok(json) => serde_json::from_slice(&json).map(Some).map_err(|_| broken("read")),
        Err(error) if error.kind() == IoKind::NotFound => Ok(None),
        Err(_) => Err(broken("read")),
    }
}

fn broken(how: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the bench's folder of documents cannot be {how}"),
    )
}

#[cfg(test)]
mod tests {
    use twinpool_shared::{import::progress, item::SCHEMA_VERSION, personal::Personal, run::keys, time::EPOCH};

    use super::*;
    use crate::stand_ins::unique;

    fn document(key: Key, body: &str) -> Document {
        Document {
            key,
            schema_version: SCHEMA_VERSION,
            pool: "p".to_owned(),
            version: 1,
            written_at: EPOCH,
            expires_at: None,
            body: Personal::new(body),
        }
    }

    #[test]
    fn members_come_back_by_prefix_in_the_order_of_their_keys() {
        let folder = std::env::temp_dir().join(unique("spill"));
        let spill = Spill::new(folder.clone()).expect("a folder");
        let of = |prefix, number| keys::members("p", "r", prefix, (0, 0, number));
        for (prefix, number) in [("a", 2), ("ab", 1), ("a", 1)] {
            let put = spill.put(&document(of(prefix, number), prefix), None);
            assert_eq!(put, Ok(Written::Stored));
        }
        let found = spill.list("p#run", &keys::members_prefix("r", "a")).expect("readable");
        let found: Vec<Key> = found.into_iter().map(|document| document.key).collect();
        assert_eq!(found, [of("a", 1), of("a", 2)]);
        assert_eq!(spill.list("p#run", &keys::members_prefix("r", "b")), Ok(Vec::new()));
        drop(spill);
        assert!(!folder.exists());
    }

    #[test]
    fn chunks_and_other_documents_keep_their_condition() {
        let spill = Spill::new(std::env::temp_dir().join(unique("spill"))).expect("a folder");
        for key in [keys::lease("p"), progress::keys::chunk("p", "plan", 7)] {
            let first = document(key, "first");
            assert_eq!(spill.put(&first, None), Ok(Written::Stored));
            assert_eq!(spill.put(&first, None), Ok(Written::Conflict));
            assert_eq!(spill.put(&first, Some(1)), Ok(Written::Stored));
            assert_eq!(spill.get(&first.key), Ok(Some(first)));
        }
    }
}
