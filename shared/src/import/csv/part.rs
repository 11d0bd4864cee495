//! A file of an import job, filled row by row until it is full.
//!
//! Invariant: a part is never larger than its limit, and holds no more memory than its text.

use std::fmt;

use super::Header;
use crate::personal::Personal;

/// What a part may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartLimit {
    /// Users.
    pub rows: usize,
    /// Bytes of the whole file.
    pub bytes: usize,
}

/// The most that Cognito takes: 500,000 users, and 100 MB, read as decimal.
pub const PART_MAX: PartLimit = PartLimit {
    rows: 500_000,
    bytes: 100_000_000,
};

/// A file that is being filled.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    text: String,
    rows: usize,
    limit: PartLimit,
}

impl Part {
    /// An empty file with the columns of `header`, for as much as both `limit` and [`PART_MAX`] allow.
    #[must_use]
    pub fn new(header: &Header, limit: PartLimit) -> Self {
        Self {
            text: header.line() + "\n",
            rows: 0,
            limit: PartLimit {
                rows: limit.rows.min(PART_MAX.rows),
                bytes: limit.bytes.min(PART_MAX.bytes),
            },
        }
    }

    /// Adds a row of [`Header::row`]; `false` when the part is full, and the row goes into the next one. The first row is
    /// always taken: a header and a row are far below what Cognito takes, whatever the limit.
    #[must_use = "a row that is not taken goes into the next part"]
    pub fn offer(&mut self, row: &Personal) -> bool {
        let row = row.expose();
        let full = self.rows >= self.limit.rows || self.text.len() + row.len() + 1 > self.limit.bytes;
        if full && self.rows > 0 {
            return false;
        }
        self.text.push_str(row);
        self.text.push('\n');
        self.rows += 1;
        true
    }

    /// Users in it.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The file, to be uploaded and nothing else.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({} rows, {} bytes)", self.rows, self.text.len())
    }
}
