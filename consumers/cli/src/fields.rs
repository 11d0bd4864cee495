//! A record as named fields, and what changed between two versions of it.
//!
//! Invariant: pure, and complete: two records with different content have different fields.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use twinpool_shared::user::{Facet, UserRecord};

use crate::mask::Masking;

/// A field that differs between two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Changed {
    /// Name, for example `attributes.email`.
    pub(crate) field: String,
    /// Before; `None` when it was not there.
    pub(crate) from: Option<String>,
    /// After; `None` when it is not there any more.
    pub(crate) to: Option<String>,
}

/// What differs in content, in the order of the field names. Compared in full, and shown as `masking` allows.
pub(crate) fn changed(before: Option<&UserRecord>, after: &UserRecord, masking: Masking) -> Vec<Changed> {
    let of = |record: Option<&UserRecord>, masking| record.map(|record| fields(record, masking)).unwrap_or_default();
    let (old, new) = (of(before, Masking::Shown), of(Some(after), Masking::Shown));
    let (old_shown, new_shown) = (of(before, masking), of(Some(after), masking));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| Changed {
            field: name.clone(),
            from: old_shown.get(name).cloned(),
            to: new_shown.get(name).cloned(),
        })
        .collect()
}

/// Facets that are as of another instant, or come from another source, with the same content.
pub(crate) fn restamped(before: &UserRecord, after: &UserRecord) -> Vec<&'static str> {
    fn differs<T: PartialEq>(before: Option<&Facet<T>>, after: Option<&Facet<T>>) -> bool {
        matches!((before, after), (Some(before), Some(after))
            if before.data == after.data && (before.as_of, &before.source) != (after.as_of, &after.source))
    }
    let facets = [
        ("account", differs(before.account.as_ref(), after.account.as_ref())),
        (
            "attributes",
            differs(before.attributes.as_ref(), after.attributes.as_ref()),
        ),
        ("factors", differs(before.factors.as_ref(), after.factors.as_ref())),
        ("groups", differs(before.groups.as_ref(), after.groups.as_ref())),
        ("status", differs(before.status.as_ref(), after.status.as_ref())),
    ];
    facets
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}

fn fields(record: &UserRecord, masking: Masking) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut put = |name: &str, value: String| {
        fields.insert(name.to_owned(), value);
    };
    put("alive", record.is_alive().to_string());
    if let Some(facet) = &record.attributes {
        put("username", masking.username(&record.sub, &facet.data.username));
        for (name, value) in &facet.data.values {
            put(&format!("attributes.{name}"), masking.attribute(name, value));
        }
    }
    if let Some(facet) = &record.status {
        put("status", facet.data.clone());
    }
    if let Some(facet) = &record.account {
        put("account.enabled", facet.data.enabled.to_string());
        put("account.created", facet.data.created.to_string());
        put("account.modified", facet.data.modified.to_string());
    }
    if let Some(facet) = &record.groups {
        put("groups", list(&facet.data));
    }
    if let Some(facet) = &record.factors {
        put("factors.enabled", list(&facet.data.enabled));
        if let Some(preferred) = &facet.data.preferred {
            put("factors.preferred", preferred.clone());
        }
    }
    if let Some(due) = record.factors_due {
        put("factors_due", due.to_string());
    }
    if let Some(seen) = record.last_seen {
        put("last_seen", seen.to_string());
    }
    if let Some(tombstone) = &record.deleted {
        put("deleted.at", tombstone.at.to_string());
        put("deleted.cause", tombstone.cause.clone());
    }
    fields
}

/// Names as a list that reads back whatever characters they have.
pub(crate) fn list(names: &BTreeSet<String>) -> String {
    serde_json::json!(names).to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use twinpool_shared::{
        personal::{Personal, Sub},
        time::{EPOCH, Timestamp},
        user::{Account, Attributes, Factors, Tombstone},
    };

    use super::*;

    /// A facet of `data` as of the epoch.
    pub(crate) fn facet<T>(data: T) -> Facet<T> {
        Facet {
            as_of: EPOCH,
            observed_at: EPOCH,
            source: "ListUsers".into(),
            data,
        }
    }

    /// A user called Ann with every facet.
    pub(crate) fn record() -> UserRecord {
        let mut record = UserRecord::new(Sub::new("3c9a1b2d-0051-7076-79e2-0123456789ab").expect("a sub"));
        let values = [
            ("email", "ann@example.com"),
            ("email_verified", "true"),
            ("phone_number", "+31612345678"),
        ];
        record.attributes = Some(facet(Attributes {
            username: Personal::new("ann"),
            values: values
                .map(|(name, value)| (name.to_owned(), Personal::new(value)))
                .into(),
        }));
        record.status = Some(facet("CONFIRMED".to_owned()));
        record.account = Some(facet(Account {
            enabled: true,
            created: EPOCH,
            modified: EPOCH,
        }));
        record.groups = Some(facet(["admins".to_owned(), "staff".to_owned()].into()));
        record.factors = Some(facet(Factors {
            preferred: Some("SOFTWARE_TOKEN_MFA".to_owned()),
            enabled: ["SOFTWARE_TOKEN_MFA".to_owned()].into(),
        }));
        record
    }

    fn names(before: &UserRecord, after: &UserRecord) -> Vec<String> {
        let changed = changed(Some(before), after, Masking::Masked);
        changed.into_iter().map(|changed| changed.field).collect()
    }

    #[test]
    fn every_change_of_content_is_a_changed_field() {
        let before = record();
        type Change = fn(&mut UserRecord);
        let changes: [(&str, Change); 9] = [
            ("username", |r| {
                r.attributes.as_mut().unwrap().data.username = Personal::new("bob");
            }),
            ("attributes.email", |r| {
                let values = &mut r.attributes.as_mut().unwrap().data.values;
                values.insert("email".into(), Personal::new("bob@example.com"));
            }),
            ("attributes.phone_number", |r| {
                r.attributes.as_mut().unwrap().data.values.remove("phone_number");
            }),
            ("status", |r| r.status.as_mut().unwrap().data = "RESET_REQUIRED".into()),
            ("account.enabled", |r| r.account.as_mut().unwrap().data.enabled = false),
            ("groups", |r| {
                r.groups.as_mut().unwrap().data.remove("staff");
            }),
            ("factors.preferred", |r| {
                r.factors.as_mut().unwrap().data.preferred = None;
            }),
            ("last_seen", |r| r.last_seen = Some(EPOCH)),
            ("factors_due", |r| r.factors_due = Some(EPOCH)),
        ];
        for (field, change) in changes {
            let mut after = record();
            change(&mut after);
            assert_eq!(names(&before, &after), [field]);
        }
        assert!(names(&before, &before).is_empty());
    }

    #[test]
    fn a_deletion_and_a_first_version_name_what_they_bring() {
        let before = record();
        let mut after = record();
        after.deleted = Some(Tombstone {
            at: EPOCH,
            cause: "AdminDeleteUser".into(),
        });
        assert_eq!(names(&before, &after), ["alive", "deleted.at", "deleted.cause"]);
        let first = changed(None, &before, Masking::Masked);
        assert!(
            first
                .iter()
                .all(|changed| changed.from.is_none() && changed.to.is_some())
        );
        assert!(first.len() > 10);
    }

    #[test]
    fn a_change_that_a_mask_hides_is_still_a_change() {
        let mut after = record();
        let values = &mut after.attributes.as_mut().unwrap().data.values;
        values.insert("email".into(), Personal::new("amy@elsewhere.com"));
        let changed = changed(Some(&record()), &after, Masking::Masked);
        let same = Some("a***@e***.com".to_owned());
        assert_eq!((&changed[0].from, &changed[0].to), (&same, &same));
    }

    #[test]
    fn a_newer_stamp_alone_is_no_changed_field() {
        let mut after = record();
        after.status.as_mut().unwrap().as_of = Timestamp::from_millis(5);
        assert!(names(&record(), &after).is_empty());
        assert_eq!(restamped(&record(), &after), ["status"]);
        assert!(restamped(&record(), &record()).is_empty());
    }
}
