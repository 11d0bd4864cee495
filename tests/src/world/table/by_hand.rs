//! What people do to a table behind the product's back: in a console, by a script, with the best of intentions.
//!
//! Invariant: an edit keeps version and stamps, because nobody who edits by hand thinks of them.

use std::sync::Arc;

use twinpool_shared::{
    item::{UserItem, user_key},
    personal::{Personal, Sub},
};

use super::{Store, TableDouble, describe::short};
use crate::world::locked;

/// One edit of one user's current item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Another nickname.
    Nickname(String),
    /// Enabled becomes disabled, and the other way round.
    Enabled,
    /// Another status.
    Status,
    /// The first group is taken out of the list, or one is put in.
    Groups(String),
    /// The tombstone is taken away.
    Tombstone,
    /// The item is removed.
    Removed,
}

impl Edit {
    /// Name in the journal.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Nickname(_) => "another nickname",
            Self::Enabled => "enabled turned round",
            Self::Status => "another status",
            Self::Groups(_) => "another list of groups",
            Self::Tombstone => "tombstone taken away",
            Self::Removed => "item removed",
        }
    }
}

impl TableDouble {
    /// Somebody edits the table by hand; false when there is nothing to edit.
    pub fn edit(&self, sub: &Sub, edit: &Edit) -> bool {
        let now = self.inner.clock.elapsed_millis();
        let edited = apply(&mut locked(&self.inner.store), sub, edit, now);
        if edited {
            let line = format!("{} {}", short(sub), edit.name());
            self.inner.journal.note("by hand", line);
        }
        edited
    }
}

/// Edits the current item of `sub`; false when there is nothing to edit.
fn apply(store: &mut Store, sub: &Sub, edit: &Edit, now: i64) -> bool {
    let Some(item) = store.current_users().remove(sub) else {
        return false;
    };
    let edited = if *edit == Edit::Removed {
        None
    } else {
        match edited(UserItem::clone(&item), edit) {
            Some(edited) => Some(Arc::new(edited)),
            None => return false,
        }
    };
    store.by_hand.insert(sub.clone());
    let was = store.users.entry(user_key(&item.pool, sub)).or_default();
    was.push((now, edited));
    true
}

fn edited(mut item: UserItem, edit: &Edit) -> Option<UserItem> {
    let record = &mut item.record;
    match edit {
        Edit::Nickname(value) => {
            let values = &mut record.attributes.as_mut()?.data.values;
            values.insert("nickname".to_owned(), Personal::new(value));
        }
        Edit::Enabled => {
            let account = &mut record.account.as_mut()?.data;
            account.enabled = !account.enabled;
        }
        Edit::Status => "ARCHIVED".clone_into(&mut record.status.as_mut()?.data),
        Edit::Groups(name) => {
            let groups = &mut record.groups.as_mut()?.data;
            if groups.pop_first().is_none() {
                groups.insert(name.clone());
            }
        }
        Edit::Tombstone => {
            record.deleted.take()?;
        }
        Edit::Removed => {}
    }
    Some(item)
}
