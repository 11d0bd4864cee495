//! The list of users who failed, with stage and reason: what somebody mends before the next attempt.
//!
//! Invariant: `sub`s, stages and codes; no personal value.

use std::path::Path;

use futures::TryStreamExt;
use twinpool_shared::{
    error::Error,
    import::{plan::Plan, progress::Outcome},
};

use crate::{
    csv,
    importing::{AwsImporter, FileOut},
};

/// Writes everybody who failed, all attempts together, to `path`.
///
/// # Errors
/// As the table answers; `BadSetting` when the file cannot be written.
pub(super) async fn write(importer: &AwsImporter, plan: &Plan, path: &Path) -> Result<(), Error> {
    let mut file = FileOut::create(path, "list of users who failed")?;
    file.write(&csv::record(["sub", "stage", "code"]))?;
    let mut outcomes = Box::pin(importer.outcomes(plan));
    while let Some(outcome) = outcomes.try_next().await? {
        file.write(&lines_of(&outcome))?;
    }
    file.finish()
}

fn lines_of(outcome: &Outcome) -> String {
    let failed = outcome.failed.iter();
    let lines = failed.map(|(stage, code)| csv::record([outcome.sub.as_str(), stage.as_str(), code.as_str()]));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use twinpool_shared::{import::progress::Stage, personal::Sub};

    use super::*;

    #[test]
    fn who_failed_has_a_line_for_each_stage_and_nobody_else_has_one() {
        let mut outcome = Outcome::new(Sub::new("a").expect("a sub"));
        assert_eq!(lines_of(&outcome), "");
        outcome.went_through(Stage::Password, Some("InvalidPasswordException".to_owned()));
        outcome.went_through(Stage::Memberships, Some("ResourceNotFoundException".to_owned()));
        assert_eq!(
            lines_of(&outcome),
            "a,password,InvalidPasswordException\r\na,memberships,ResourceNotFoundException\r\n"
        );
    }
}
