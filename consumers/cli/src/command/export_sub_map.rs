//! `twinpool export-sub-map`: whose `sub` became which, for every database that is keyed by it.
//!
//! Invariant: `sub`s and nothing else; streamed, so that memory stays flat.

use std::path::PathBuf;

use futures::TryStreamExt;
use twinpool_shared::{
    error::Error,
    import::sub_map::{CSV_HEADER, Entry},
    quota::Share,
};

use crate::{
    context::Context,
    exit::Exit,
    importing::{self, Bars, read_plan},
};

/// Arguments of `export-sub-map`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The file that twinpool plan wrote
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// One line for each user: old sub, new sub, and the first one where the pool was rebuilt before
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Csv,
    Json,
}

/// Writes the map.
///
/// # Errors
/// As the table answers.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let plan = read_plan(context, &args.plan)?;
    let connection = context.connect_recovery(&plan.target.region).await?;
    let bars = Bars::new(false);
    let importer = importing::importer(&connection, &plan.source.table, Share::default(), &bars);
    if args.format == Format::Csv {
        context.output.write(&format!("{CSV_HEADER}\n"))?;
    }
    let mut entries = Box::pin(importer.sub_map(&plan));
    while let Some(entry) = entries.try_next().await? {
        context.output.write(&line(&entry, args.format))?;
        if context.output.is_closed() {
            break;
        }
    }
    Ok(Exit::Ok)
}

fn line(entry: &Entry, format: Format) -> String {
    let mut line = match format {
        Format::Csv => entry.csv_line(),
        Format::Json => entry.json_line(),
    };
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use twinpool_shared::personal::Sub;

    use super::*;

    #[test]
    fn an_entry_is_one_line_in_either_format() {
        let sub = |text| Sub::new(text).expect("a sub");
        let entry = Entry {
            old: sub("a"),
            new: sub("b"),
            first: None,
        };
        assert_eq!(line(&entry, Format::Csv), "a,b,\n");
        assert_eq!(line(&entry, Format::Json), "{\"old\":\"a\",\"new\":\"b\"}\n");
    }
}
