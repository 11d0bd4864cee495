//! What the commands of an import have in common: the plan file, the importer over the operator's credentials, and its bars.
//!
//! Invariant: a plan is read from a file and from nowhere else, and is refused unless it is as it was written.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use indicatif::MultiProgress;
use twinpool_importer::{HttpUpload, Importer, Phase, Watch};
use twinpool_shared::{
    adapter::{
        governor::Governor,
        lambda::now,
        pool::{Patience, PoolReader, PoolWriter},
        table::Table,
    },
    documents::Documents,
    error::{Error, ErrorKind},
    import::{
        estimate::{ASKED, Live},
        plan::{Plan, file},
        progress::keys,
    },
    personal::Sub,
    quota::Share,
    run::{Claim, Lease},
};

use crate::{
    context::{Connection, Context, usage},
    doctor::caller,
    output::say,
    progress::Progress,
};

/// An importer over AWS.
pub(crate) type AwsImporter = Importer<PoolReader, PoolWriter, Table>;

/// The plan in the file `path`, of the backup that options and environment name.
///
/// # Errors
/// `BadSetting` when the file cannot be read, is no plan as it was written, or is of another backup; `Newer` when a newer
/// Twinpool wrote it.
pub(crate) fn read_plan(context: &Context, path: &Path) -> Result<Plan, Error> {
    let plan = file::open(&read_text(path, "plan")?)?;
    context.is_of(&plan.source.pool, &plan.source.table)?;
    Ok(plan)
}

/// Whether the credentials are of the account that the plan is for.
///
/// # Errors
/// `BadSetting` when they are of another one; as STS answers.
pub(crate) async fn is_of_account(connection: &Connection, plan: &Plan) -> Result<(), Error> {
    let caller = caller::read(&aws_sdk_sts::Client::new(&connection.config)).await?;
    same_account(&caller.account, &plan.target.account)
}

fn same_account(callers: &str, plans: &str) -> Result<(), Error> {
    if callers == plans {
        return Ok(());
    }
    Err(usage(&format!(
        "the credentials are of account {callers}, and the plan is for {plans}: give --profile of that account, or make a new plan"
    )))
}

/// Says who held the lease that an import of `pool` is about to take over, because it has expired.
///
/// # Errors
/// As DynamoDB answers.
pub(crate) async fn say_who_held(context: &Context, importer: &AwsImporter, pool: &str) -> Result<(), Error> {
    let documents = Documents {
        backup: &importer.backup,
        pool,
        clock: &importer.clock,
    };
    let found = documents.load::<Lease>(&keys::lease(pool)).await?;
    let found = found.map(|(lease, _)| lease);
    if let Claim::Expired(lease) = Lease::claim(found.as_ref(), "", (importer.clock)())
        && !context.output.quiet
    {
        say(&format!(
            "{} began an import of this pool at {} and has not been heard of since {}: this one takes over and goes on",
            lease.owner, lease.since, lease.until
        ));
    }
    Ok(())
}

/// `path` as a word of a shell's command line.
pub(crate) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// The text of a file that the command line names.
///
/// # Errors
/// `BadSetting` when it cannot be read.
pub(crate) fn read_text(path: &Path, what: &str) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| {
        let what = format!("the {what} file {} cannot be read: {}", path.display(), error.kind());
        Error::new(ErrorKind::BadSetting, what)
    })
}

/// Writes a file that the command line names, for its owner alone.
///
/// # Errors
/// `BadSetting` when it cannot be written.
pub(crate) fn write_text(path: &Path, what: &str, text: &str) -> Result<(), Error> {
    let mut file = FileOut::create(path, what)?;
    file.write(text)?;
    file.finish()
}

/// A file that the command line names, for its owner alone.
#[derive(Debug)]
pub(crate) struct FileOut {
    file: BufWriter<File>,
    path: PathBuf,
    what: String,
}

impl FileOut {
    /// Creates it, or empties it.
    ///
    /// # Errors
    /// `BadSetting` when it cannot be written.
    pub(crate) fn create(path: &Path, what: &str) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(path).map_err(|error| unwritten(what, path, &error))?;
        Ok(Self {
            file: BufWriter::new(file),
            path: path.to_owned(),
            what: what.to_owned(),
        })
    }

    /// Writes `text`.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(crate) fn write(&mut self, text: &str) -> Result<(), Error> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| unwritten(&self.what, &self.path, &error))
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        let written = self.file.flush();
        written.map_err(|error| unwritten(&self.what, &self.path, &error))
    }
}

fn unwritten(what: &str, path: &Path, error: &io::Error) -> Error {
    let what = format!("the {what} {} cannot be written: {}", path.display(), error.kind());
    Error::new(ErrorKind::BadSetting, what)
}

/// An importer at `share` of the quotas of the Region of `connection`.
pub(crate) fn importer(connection: &Connection, table: &str, share: Share, bars: &Bars) -> AwsImporter {
    let governor = Governor::new(share, 1);
    let client = connection.cognito();
    Importer {
        reader: PoolReader::new(client.clone(), governor.clone(), Patience::WALK),
        writer: PoolWriter::new(client, governor, Patience::WALK),
        backup: connection.backup(table),
        clock: Arc::new(now),
        watch: Box::new(bars.clone()),
        upload: Box::new(HttpUpload),
    }
}

/// Asks the account for the quotas that an import waits for and that it may have raised, and has the governor use them. What it
/// may not ask keeps the documented default.
pub(crate) async fn live_quotas(importer: &AwsImporter) -> Live {
    let live = importer.reader.live_limits(&ASKED).await;
    live.into_iter()
        .filter_map(|(category, rps)| Some((category, rps?)))
        .collect()
}

/// Bars of the phases of an import, several at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bars {
    wanted: bool,
    together: MultiProgress,
    phases: Arc<Mutex<BTreeMap<Phase, Progress>>>,
    failed: Arc<Mutex<u64>>,
}

impl Bars {
    /// Bars, if they are `wanted`.
    pub(crate) fn new(wanted: bool) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }
}

impl Watch for Bars {
    fn phase(&self, phase: Phase, expected: Option<u64>) {
        let bar = Progress::among(self.wanted, Some(&self.together), phase.as_str(), expected.unwrap_or(0));
        self.phases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(phase, bar);
    }

    fn advanced(&self, phase: Phase, by: u64) {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let found = if failed == 0 {
            String::new()
        } else {
            format!("{failed} failed")
        };
        if let Some(bar) = self
            .phases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(&phase)
        {
            bar.advance_by(by, &found);
        }
    }

    fn finished(&self, phase: Phase) {
        self.phases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&phase);
    }

    fn failed(&self, _: &Sub, _: &str) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_another_account_are_refused() {
        assert_eq!(same_account("111122223333", "111122223333"), Ok(()));
        let error = same_account("444455556666", "111122223333").expect_err("another account");
        assert_eq!(error.kind, ErrorKind::BadSetting);
        assert!(
            error.what.contains("444455556666") && error.what.contains("--profile"),
            "{}",
            error.what
        );
    }

    #[test]
    fn a_path_is_one_word_of_the_command_line() {
        for (path, word) in [
            ("plans/plan-1.json", "plans/plan-1.json"),
            ("my plan.json", "'my plan.json'"),
            ("it's;rm.json", r"'it'\''s;rm.json'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = read_text(Path::new("/nowhere/plan.json"), "plan").expect_err("no file");
        assert_eq!(error.kind, ErrorKind::BadSetting);
        assert!(error.what.contains("/nowhere/plan.json"), "{}", error.what);
    }
}
