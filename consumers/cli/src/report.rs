//! Reports as one HTML file: nothing is loaded from anywhere, and it is readable when printed.
//!
//! Invariant: every text is escaped by the template; a report shows what the terminal shows, masked as there.

use std::path::Path;

use askama::Template;
use twinpool_shared::error::{Error, ErrorKind};

use crate::importing::write_text;

/// A table with a heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) header: &'static [&'static str],
    pub(crate) rows: Vec<Vec<String>>,
    /// Sentences below the table.
    pub(crate) notes: Vec<String>,
}

impl Section {
    pub(crate) fn new(title: &'static str, header: &'static [&'static str], rows: Vec<Vec<String>>) -> Self {
        Self {
            title,
            header,
            rows,
            notes: Vec::new(),
        }
    }

    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.notes.is_empty()
    }
}

/// A page.
#[derive(Debug, Template)]
#[template(path = "report.html")]
pub(crate) struct Report<'a> {
    pub(crate) title: &'a str,
    /// The result in a few words, and whether it is a good one.
    pub(crate) verdict: &'a str,
    pub(crate) is_good: bool,
    pub(crate) summary: &'a [String],
    pub(crate) sections: &'a [Section],
}

impl Report<'_> {
    /// Writes the page to `path`.
    ///
    /// # Errors
    /// `BadSetting` when the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let page = self.render();
        let page = page.map_err(|_| Error::new(ErrorKind::Rejected, "the report could not be written as HTML"))?;
        write_text(path, "report", &page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_file_that_loads_nothing_and_escapes_what_it_shows() {
        let mut section = Section::new("Groups", &["name"], vec![vec!["<script>alert(1)</script>".to_owned()]]);
        section.notes.push("a \"note\" & more".to_owned());
        let report = Report {
            title: "Plan",
            verdict: "equal",
            is_good: true,
            summary: &["from a & b".to_owned()],
            sections: &[section],
        };
        let page = report.render().expect("a page");
        assert!(
            page.starts_with("<!DOCTYPE html>") && page.contains("@media print"),
            "{page}"
        );
        assert!(
            !page.contains("<script") && !page.contains("http") && !page.contains("<link"),
            "{page}"
        );
        assert!(
            page.contains("&#60;script&#62;") && page.contains("from a &#38; b"),
            "{page}"
        );
    }
}
