//! What goes to the terminal: data on standard output, everything else on standard error.
//!
//! Invariant: text from a pool may hold control characters. None reaches a terminal: they are written as escapes.

use std::{
    cell::Cell,
    io::{self, IsTerminal, Write},
};

use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::Serialize;
use twinpool_shared::error::{Error, ErrorKind};

use crate::{mask::Masking, report::Section};

/// Where a command writes.
#[derive(Debug)]
pub(crate) struct Output {
    /// `--json`: one document instead of text.
    pub(crate) json: bool,
    /// Whether personal values are shown in full.
    pub(crate) masking: Masking,
    /// `--quiet`: errors only on standard error.
    pub(crate) quiet: bool,
    terminal: bool,
    closed: Cell<bool>,
}

/// A document of `--json`.
#[derive(Serialize)]
pub(crate) struct Document<'a, T> {
    /// `twinpool.COMMAND.v1`.
    pub(crate) schema: String,
    /// The pool.
    pub(crate) pool: &'a str,
    /// Whether personal values are `masked` or `shown`.
    pub(crate) personal: &'static str,
    /// The command's own members.
    #[serde(flatten)]
    pub(crate) body: &'a T,
}

impl Output {
    /// An output to this process's standard streams.
    pub(crate) fn new(json: bool, masking: Masking, quiet: bool) -> Self {
        Self {
            json,
            masking,
            quiet,
            terminal: io::stdout().is_terminal(),
            closed: Cell::new(false),
        }
    }

    /// Writes `text`, which ends its own lines. A reader who has gone, such as `head`, is no error.
    ///
    /// # Errors
    /// When standard output cannot be written, for example to a full disk.
    pub(crate) fn write(&self, text: &str) -> Result<(), Error> {
        if self.closed.get() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed.set(true);
                Ok(())
            }
            Err(_) => Err(Error::new(
                ErrorKind::Unavailable,
                "standard output could not be written",
            )),
        }
    }

    /// Whether the reader has gone: nobody needs the rest.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// A line of text.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(crate) fn line(&self, text: &str) -> Result<(), Error> {
        self.write(&format!("{}\n", printable(text)))
    }

    /// A message for the person, on standard error.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            say(&printable(text));
        }
    }

    /// The document of `command`.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(crate) fn document<T: Serialize>(&self, command: &str, pool: &str, body: &T) -> Result<(), Error> {
        let document = Document {
            schema: schema(command),
            pool,
            personal: self.masking.as_str(),
            body,
        };
        let text = serde_json::to_string_pretty(&document);
        let text = text.map_err(|_| Error::new(ErrorKind::Rejected, "the document could not be written as JSON"))?;
        self.write(&format!("{text}\n"))
    }

    /// Sections of a report, each with its title above and its notes below.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(crate) fn sections(&self, sections: &[Section]) -> Result<(), Error> {
        for section in sections {
            self.line("")?;
            self.line(section.title)?;
            self.table(section.header, &section.rows)?;
            for note in &section.notes {
                self.line(note)?;
            }
        }
        Ok(())
    }

    /// A table: ruled on a terminal, plain aligned lines otherwise. Without rows, nothing.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(crate) fn table(&self, header: &[&str], rows: &[Vec<String>]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| printable(cell)).collect())
            .collect();
        let text = if self.terminal {
            ruled(header, rows)
        } else {
            aligned(header, &rows)
        };
        self.write(&text)
    }
}

/// Name of a command's document.
pub(crate) fn schema(command: &str) -> String {
    format!("twinpool.{command}.v1")
}

/// Writes a line to standard error. A closed one must not end a command.
pub(crate) fn say(text: &str) {
    let _closed = writeln!(io::stderr().lock(), "{text}");
}

fn ruled(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    format!("{table}\n")
}

fn aligned(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let cells = cells.map(|cell| cell.chars().count());
        cells
            .chain(header.get(column).map(|name| name.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let head = line(header.to_vec());
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(head).chain(body).collect()
}

/// `text` without control characters, which could move a terminal's cursor or forge a line.
pub(crate) fn printable(text: &str) -> String {
    if text.chars().any(char::is_control) {
        let plain = |c: char| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        };
        text.chars().map(plain).collect()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::Value;

    use super::*;

    /// The example of a command's document in shared/docs/CLI_JSON.md.
    pub(crate) fn documented_document(command: &str) -> Value {
        let page = include_str!("../../../shared/docs/CLI_JSON.md");
        let section = page.split("\n## ").find(|section| {
            let title = section.lines().next().unwrap_or_default();
            title.split_whitespace().next() == Some(&format!("`{command}`"))
        });
        let section = section.unwrap_or_else(|| panic!("a section for {command}"));
        let example = section
            .split("```json\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let example = example.unwrap_or_else(|| panic!("an example of {command}"));
        serde_json::from_str(example).unwrap_or_else(|error| panic!("the example of {command}: {error}"))
    }

    /// The command's own members of that example.
    pub(crate) fn documented(command: &str) -> Value {
        let mut document = documented_document(command);
        let members = document.as_object_mut().expect("an object");
        assert_eq!(members.remove("schema"), Some(Value::String(schema(command))));
        assert!(members.remove("pool").is_some_and(|pool| pool.is_string()));
        assert_eq!(members.remove("personal"), Some(Value::String("masked".to_owned())));
        document
    }

    #[test]
    fn a_document_has_schema_pool_and_masking_before_its_own_members() {
        let document = Document {
            schema: schema("show"),
            pool: "us-east-1_a",
            personal: "masked",
            body: &serde_json::json!({"alive": true}),
        };
        let text = serde_json::to_string(&document).expect("JSON");
        let expected = r#"{"schema":"twinpool.show.v1","pool":"us-east-1_a","personal":"masked","alive":true}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn a_plain_table_is_aligned_and_has_no_trailing_spaces() {
        let rows = vec![
            vec!["a".to_owned(), "1".to_owned()],
            vec!["längste".to_owned(), String::new()],
        ];
        assert_eq!(aligned(&["name", "n"], &rows), "name     n\na        1\nlängste\n");
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("Zoë #1"), "Zoë #1");
    }

    #[test]
    fn a_ruled_table_shows_every_cell() {
        let text = ruled(&["name"], vec![vec!["ann".to_owned()]]);
        assert!(text.contains("name") && text.contains("ann"), "{text}");
    }
}
