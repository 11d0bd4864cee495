//! Rows of measured figures with their targets, as a table and as JSON.
//!
//! Invariant: a row without a target is neither met nor missed; a row with one is never rounded into meeting it.

use std::{fmt, path::Path};

use comfy_table::Table;
use serde::Serialize;

use super::{events::now, figures};
use crate::stack::Failure;

/// Version of the JSON's shape.
const SCHEMA_VERSION: u32 = 1;

/// What a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Below this.
    Below(f64),
    /// This at most.
    AtMost(f64),
    /// This at least.
    AtLeast(f64),
    /// Nothing: for information.
    None,
}

impl Goal {
    fn met(self, value: f64) -> Option<bool> {
        match self {
            Self::Below(limit) => Some(value < limit),
            Self::AtMost(limit) => Some(value <= limit),
            Self::AtLeast(limit) => Some(value >= limit),
            Self::None => None,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(limit) => write!(formatter, "< {limit}"),
            Self::AtMost(limit) => write!(formatter, "<= {limit}"),
            Self::AtLeast(limit) => write!(formatter, ">= {limit}"),
            Self::None => formatter.write_str("-"),
        }
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    section: &'static str,
    what: String,
    target: Goal,
    measured: f64,
    unit: &'static str,
    met: Option<bool>,
    /// The command that measures it again.
    command: String,
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            section,
            what,
            target,
            measured,
            unit,
            ..
        } = self;
        write!(
            formatter,
            "{section}: {what}: {measured:.3} {unit}, target {target} {unit}"
        )
    }
}

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    schema_version: u32,
    label: &'static str,
    began: String,
    processor: String,
    cores: usize,
    /// Load average of the last minute before the run: other work on the machine.
    load_before: f64,
    /// The last part of the binaries' folder: the build profile.
    build: String,
    rows: Vec<Row>,
    notes: Vec<String>,
    #[serde(skip)]
    section: (&'static str, &'static str),
}

impl Report {
    /// An empty report about the binaries of a folder.
    #[must_use]
    pub fn new(binaries: &Path) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            label: "local",
            began: now().to_string(),
            processor: figures::processor(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: figures::load(),
            build: binaries.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            rows: Vec::new(),
            notes: Vec::new(),
            section: ("", ""),
        }
    }

    /// The rows to come belong to this section, which these arguments run alone.
    pub fn section(&mut self, name: &'static str, arguments: &'static str) {
        self.section = (name, arguments);
        eprintln!("bench: {name}");
    }

    /// Adds a figure.
    pub fn row(&mut self, what: impl Into<String>, measured: f64, unit: &'static str, target: Goal) {
        let row = Row {
            section: self.section.0,
            what: what.into(),
            target,
            measured,
            unit,
            met: target.met(measured),
            command: format!("target/debug/bench {}", self.section.1),
        };
        eprintln!("bench:   {}: {measured:.3} {unit} ({target})", row.what);
        self.rows.push(row);
    }

    /// Adds a sentence.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Rows that missed their target.
    #[must_use]
    pub fn missed(&self) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.met == Some(false)).collect()
    }

    /// Writes the JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let json = serde_json::to_vec_pretty(self).map_err(|error| Failure::new("the report", error))?;
        std::fs::write(path, json).map_err(|error| Failure::new("the report", error))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            label,
            began,
            processor,
            cores,
            load_before,
            build,
            ..
        } = self;
        writeln!(
            formatter,
            "{label} figures, {began}, {cores} cores of {processor}, load before {load_before:.2}, {build} build"
        )?;
        let mut table = Table::new();
        table.load_style(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header(["section", "figure", "target", "measured", "unit", "met"]);
        for row in &self.rows {
            table.add_row([
                row.section.to_owned(),
                row.what.clone(),
                row.target.to_string(),
                format!("{:.3}", row.measured),
                row.unit.to_owned(),
                row.met.map_or("-", |met| if met { "yes" } else { "NO" }).to_owned(),
            ]);
        }
        write!(formatter, "{table}")?;
        self.notes.iter().try_for_each(|note| write!(formatter, "\n- {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missed_target_is_missed() {
        let mut report = Report::new(Path::new("target/release"));
        report.section("s", "--only s");
        for (what, value, goal) in [
            ("below", 2.0, Goal::Below(2.0)),
            ("at most", 2.0, Goal::AtMost(2.0)),
            ("at least", 2.0, Goal::AtLeast(2.000_1)),
            ("nothing", 2.0, Goal::None),
        ] {
            report.row(what, value, "ms", goal);
        }
        let missed: Vec<_> = report.missed().iter().map(|row| row.what.as_str()).collect();
        assert_eq!(missed, ["below", "at least"]);
        assert_eq!(report.missed()[0].to_string(), "s: below: 2.000 ms, target < 2 ms");
        assert!(report.to_string().contains("NO"));
    }
}
