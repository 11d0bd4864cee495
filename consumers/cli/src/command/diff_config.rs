//! `twinpool diff-config`: what changed in the pool's configuration between two instants.
//!
//! Invariant: no secret is shown, whatever the options.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use twinpool_shared::{
    adapter::lambda::now,
    error::Error,
    snapshot::{
        Json,
        diff::{DifferenceKind, diff_config},
        past::Configuration,
        reading::at,
    },
    time::Timestamp,
};

use crate::{context::Context, exit::Exit, instant};

/// Longest value in a row; `--json` has all of it.
const SHOWN_MAX: usize = 60;

/// Arguments of `diff-config`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Two instants, the earlier one first; once: from then until now. For example 2026-11-23 or 2026-11-23T04:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant::parse, required = true)]
    at: Vec<Timestamp>,
}

/// The document.
#[derive(Debug, PartialEq, Serialize)]
struct Changes {
    from: Timestamp,
    to: Timestamp,
    /// Members that one of the instants cannot tell about: their history does not reach back so far.
    unknown: Vec<String>,
    differences: Vec<Change>,
}

/// One difference.
#[derive(Debug, PartialEq, Serialize)]
struct Change {
    path: String,
    /// `added`, `removed` or `changed`.
    kind: &'static str,
    before: Option<Value>,
    after: Option<Value>,
}

/// Compares the configuration at two instants.
///
/// # Errors
/// As the table answers; `BadSetting` for more than two instants.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let (pool, table) = (context.pool()?, context.table()?);
    let (from, to) = match args.at[..] {
        [from] => (from, now()),
        [from, to] => (from, to),
        _ => return Err(crate::context::usage("--at is given once or twice")),
    };
    let backup = context.connect().await?.backup(table);
    let before = at(&backup, pool, from).await?;
    let after = at(&backup, pool, to).await?;
    let changes = changes((from, &before), (to, &after));
    if context.output.json {
        context.output.document("diff-config", pool, &changes)?;
    } else {
        print(context, &changes)?;
    }
    Ok(if changes.differences.is_empty() {
        Exit::Ok
    } else {
        Exit::Differences
    })
}

fn changes((from, before): (Timestamp, &Configuration), (to, after): (Timestamp, &Configuration)) -> Changes {
    let value = |json: Option<Json>| json.map(|json| json.expose().clone());
    // What one of them cannot tell about is no difference.
    let unknown: BTreeSet<_> = before.unknown.union(&after.unknown).cloned().collect();
    let known = |configuration: &Configuration| {
        let mut known = configuration.clone();
        known.members.retain(|member, _| !unknown.contains(member));
        known.tree()
    };
    let differences = diff_config(&known(before), &known(after))
        .into_iter()
        .map(|found| Change {
            path: found.path,
            kind: match found.kind {
                DifferenceKind::Added => "added",
                DifferenceKind::Removed => "removed",
                DifferenceKind::Changed => "changed",
            },
            before: value(found.before),
            after: value(found.after),
        });
    Changes {
        from,
        to,
        unknown: unknown
            .iter()
            .map(|(part, name)| format!("{}/{name}", part.as_str()))
            .collect(),
        differences: differences.collect(),
    }
}

fn print(context: &Context, changes: &Changes) -> Result<(), Error> {
    let shown = |value: &Option<Value>| match value {
        None => "-".to_owned(),
        Some(Value::String(text)) => shorten(text),
        Some(value) => shorten(&value.to_string()),
    };
    let rows = changes.differences.iter().map(|change| {
        vec![
            change.path.clone(),
            change.kind.to_owned(),
            shown(&change.before),
            shown(&change.after),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    context.output.table(&["setting", "", "before", "after"], &rows)?;
    for member in &changes.unknown {
        context
            .output
            .note(&format!("{member}: its history does not reach back so far"));
    }
    context.output.line(&format!(
        "{} differences between {} and {}",
        changes.differences.len(),
        changes.from,
        changes.to
    ))
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN_MAX {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN_MAX).collect();
    format!("{start}...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::documented;

    #[test]
    fn the_documented_example_has_the_members_of_the_document() {
        let changes = Changes {
            from: Timestamp::parse("2026-11-22T00:00:00Z").expect("an instant"),
            to: Timestamp::parse("2026-11-23T00:00:00Z").expect("an instant"),
            unknown: Vec::new(),
            differences: vec![Change {
                path: "pool/pool/Policies/PasswordPolicy/MinimumLength".to_owned(),
                kind: "changed",
                before: Some(Value::from(8)),
                after: Some(Value::from(12)),
            }],
        };
        let written = serde_json::to_value(changes).expect("JSON");
        assert_eq!(written, documented("diff-config"));
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        assert_eq!(shorten("short"), "short");
        assert_eq!(shorten(&"é".repeat(61)), format!("{}...", "é".repeat(60)));
    }
}
