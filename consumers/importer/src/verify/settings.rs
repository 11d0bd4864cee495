//! The configuration half of a comparison.
//!
//! Invariant: names settings and never shows their values, which may be secrets.

use std::collections::BTreeMap;

use twinpool_shared::{
    error::{Error, ErrorKind},
    import::{
        configure::Wanted,
        expect::What,
        mapping::Place,
        patch::{Difference, Found, compare, patch},
        progress::keys,
    },
    port::{Backup, RawPool, ReadPool, WritePool},
    snapshot::{diff::DifferenceKind, past::Configuration, reading},
};

use super::{VerifyOrder, report::Tally};
use crate::Importer;

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Compares everything but the users and their memberships.
    pub(super) async fn compare_settings(
        &self,
        order: &VerifyOrder,
        wanted: &Wanted,
        found: &Found,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let known = match &order.plan {
            Some(plan) => self.clients_of(&order.pool, plan).await?,
            None => BTreeMap::new(),
        };
        // Without the plan's own notes, clients are told by their names and secrets.
        let clients = patch(wanted, &known, found).map_or(known, |patch| patch.clients);
        for difference in compare(wanted, &clients, found) {
            count(&difference, tally);
        }
        Ok(())
    }

    /// New ids of app clients, by their old ones, as the import noted them.
    async fn clients_of(&self, pool: &str, plan: &str) -> Result<BTreeMap<String, String>, Error> {
        let clients = self.documents(pool).load(&keys::clients(pool, plan)).await?;
        Ok(clients.map(|(clients, _)| clients).unwrap_or_default())
    }
}

/// What the comparison is made from.
///
/// # Errors
/// `NotFound` when the backup holds no configuration of the pool at that instant; `BadSetting` for an id without a Region.
pub(super) async fn recorded<B: Backup>(backup: &B, order: &VerifyOrder) -> Result<(Configuration, Place), Error> {
    let recorded = reading::at(backup, &order.pool, order.selection.as_of).await?;
    if recorded.members.is_empty() {
        let what = format!(
            "the backup holds no settings of {} as of {}",
            order.pool, order.selection.as_of
        );
        return Err(Error::new(ErrorKind::NotFound, what));
    }
    let place = Place::new(&order.pool, &order.region, &order.account)?;
    Ok((recorded, place))
}

/// A difference by its path: part and member are what it is of, the rest is the setting.
fn count(difference: &Difference, tally: &mut Tally) {
    if let Some(reason) = &difference.expected {
        tally.expected(&difference.path, reason);
        return;
    }
    let mut parts = difference.path.splitn(3, '/');
    let (kind, subject) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let what = match difference.kind {
        DifferenceKind::Removed => What::Missing,
        DifferenceKind::Changed => What::Differs,
        DifferenceKind::Added => What::Extra,
    };
    tally.unexpected(kind, subject, parts.next().unwrap_or("all of it"), what);
}
