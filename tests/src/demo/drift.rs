//! Drift, made on purpose: events that are lost, an item that somebody edits, an item that somebody removes.
//!
//! It happens to users who were created before everybody else, because a list may be 60 s old: what is younger is left to the
//! next night, rightly.
//!
//! Invariant: every difference that is made is in [`Injected::differences`], and nothing else is.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use aws_sdk_cognitoidentityprovider::types::{AttributeType, MessageActionType};
use aws_sdk_dynamodb::types::AttributeValue;
use twinpool_shared::{item::user_key, personal::Sub};

use super::operator::Found;
use crate::{
    compare::Deleted,
    stack::{Failure, PoolHandle, Stack, refused},
};

/// Group of the elders, beside those of everybody else.
const GROUP: &str = "elders";
/// How old a list may be, and some more: events are stamped in whole seconds.
const OLD_ENOUGH: Duration = Duration::from_secs(63);

/// What becomes of each elder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// An administrator changes an attribute.
    Edited,
    /// An administrator disables the user.
    Disabled,
    /// Becomes a member of the group.
    Joins,
    /// Is a member, and is taken out of the group.
    Leaves,
    /// An administrator deletes the user.
    Deleted,
    /// Somebody changes the e-mail address in the table.
    EditedInTable,
    /// Somebody removes the item from the table.
    RemovedFromTable,
}

const FATES: [Fate; 10] = [
    Fate::Edited,
    Fate::Edited,
    Fate::Edited,
    Fate::Disabled,
    Fate::Joins,
    Fate::Joins,
    Fate::Leaves,
    Fate::Deleted,
    Fate::EditedInTable,
    Fate::RemovedFromTable,
];

/// The same in words.
pub(super) const IN_WORDS: &str = "3 users edited, 1 disabled, 2 put into a group, 1 taken out of it, 1 deleted, the group \
described anew; by hand in the table: 1 address edited, 1 user's item removed";

/// Users who are there before the others, and to whom nothing happens until the drift.
#[derive(Debug)]
pub(super) struct Elders<'a> {
    stack: &'a Stack,
    pool: &'a PoolHandle,
    /// `sub` and fate.
    users: Vec<(Sub, Fate)>,
    /// Mutating calls made so far.
    calls: u64,
    created: Instant,
}

/// The drift that was made.
#[derive(Debug)]
pub(super) struct Injected {
    /// In what `twinpool verify` has to find pool and backup different.
    pub(super) differences: BTreeSet<Found>,
    /// Users and groups that differ.
    pub(super) subjects: u64,
    /// Users in whom the backup is merely wrong: neither missing nor gone.
    pub(super) changed: u64,
    /// Who is deleted in the pool.
    pub(super) deleted: Deleted,
}

fn name(number: usize) -> String {
    format!("elder-{number}")
}

fn attribute(name: &str, value: &str) -> Result<AttributeType, Failure> {
    let attribute = AttributeType::builder().name(name).value(value).build();
    attribute.map_err(|error| Failure::new(name, error))
}

impl<'a> Elders<'a> {
    /// Creates them in the first pool, and their group.
    ///
    /// # Errors
    /// When the pool refuses.
    pub(super) async fn create(stack: &'a Stack) -> Result<Self, Failure> {
        let pool = stack
            .pools
            .first()
            .ok_or_else(|| Failure("the stack has no pool".to_owned()))?;
        let mut elders = Self {
            stack,
            pool,
            users: Vec::new(),
            calls: 0,
            created: Instant::now(),
        };
        let creating = stack.cognito.create_group().user_pool_id(&pool.id);
        let creating = creating.group_name(GROUP).description("as created").send();
        creating.await.map_err(refused("CreateGroup"))?;
        for (number, fate) in FATES.into_iter().enumerate() {
            let creating = stack.cognito.admin_create_user().user_pool_id(&pool.id);
            let answer = creating
                .username(name(number))
                .user_attributes(attribute("email", &format!("{}@example.com", name(number)))?)
                .user_attributes(attribute("custom:plan", "basic")?)
                .message_action(MessageActionType::Suppress)
                .send()
                .await
                .map_err(refused("AdminCreateUser"))?;
            let shown = answer.user.and_then(|user| user.attributes).unwrap_or_default();
            let sub = shown.into_iter().find(|attribute| attribute.name == "sub");
            let sub = sub.and_then(|attribute| Sub::new(&attribute.value?));
            let sub = sub.ok_or_else(|| Failure("AdminCreateUser answered no sub".to_owned()))?;
            elders.users.push((sub, fate));
            if fate == Fate::Leaves {
                elders.join(number).await?;
                elders.calls += 1;
            }
        }
        elders.calls += 1 + FATES.len() as u64;
        elders.created = Instant::now();
        Ok(elders)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    /// Mutating calls that created them.
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    /// How long until no list can be from before their time.
    pub(super) fn too_young_for(&self) -> Duration {
        OLD_ENOUGH.saturating_sub(self.created.elapsed())
    }

    async fn join(&self, number: usize) -> Result<(), Failure> {
        let adding = self.stack.cognito.admin_add_user_to_group().user_pool_id(&self.pool.id);
        let adding = adding.username(name(number)).group_name(GROUP).send();
        adding.await.map(drop).map_err(refused("AdminAddUserToGroup"))
    }

    /// Lets each meet their fate, and somebody describe the group anew. CloudTrail has to lose all of it.
    ///
    /// # Errors
    /// When the pool or the table refuses.
    pub(super) async fn meet_their_fates(&self) -> Result<Injected, Failure> {
        let updating = self.stack.cognito.update_group().user_pool_id(&self.pool.id);
        let updating = updating.group_name(GROUP).description("described anew").send();
        updating.await.map_err(refused("UpdateGroup"))?;
        let mut differences = BTreeSet::new();
        let mut differ = |kind: &str, subject: &str, fields: &[&str]| {
            differences.extend(fields.iter().map(|field| Found {
                kind: kind.to_owned(),
                subject: subject.to_owned(),
                field: (*field).to_owned(),
            }));
        };
        differ("group", GROUP, &["description", "modified"]);
        let mut gone = None;
        for (number, (sub, fate)) in self.users.iter().enumerate() {
            self.meet(number, sub, *fate).await?;
            let (joined, left) = (format!("joined group {GROUP}"), format!("left group {GROUP}"));
            let fields: &[&str] = match fate {
                Fate::Edited => &["attribute custom:plan", "modified"],
                Fate::Disabled => &["enabled", "modified"],
                Fate::Joins => &[&joined],
                Fate::Leaves => &[&left],
                Fate::Deleted => &["missing in the pool"],
                Fate::EditedInTable => &["attribute email"],
                Fate::RemovedFromTable => &["missing in the backup"],
            };
            differ("user", sub.as_str(), fields);
            if *fate == Fate::Deleted {
                gone = Some(Deleted {
                    pool: self.pool.id.clone(),
                    sub: sub.to_string(),
                    was_seen: true,
                });
            }
        }
        Ok(Injected {
            differences,
            subjects: 1 + self.users.len() as u64,
            changed: self.users.len() as u64 - 2,
            deleted: gone.ok_or_else(|| Failure("nobody was deleted".to_owned()))?,
        })
    }

    async fn meet(&self, number: usize, sub: &Sub, fate: Fate) -> Result<(), Failure> {
        let (cognito, pool) = (&self.stack.cognito, &self.pool.id);
        match fate {
            Fate::Edited => {
                let updating = cognito
                    .admin_update_user_attributes()
                    .user_pool_id(pool)
                    .username(name(number));
                let updating = updating.user_attributes(attribute("custom:plan", "changed")?).send();
                updating.await.map(drop).map_err(refused("AdminUpdateUserAttributes"))
            }
            Fate::Disabled => {
                let disabling = cognito.admin_disable_user().user_pool_id(pool).username(name(number));
                disabling.send().await.map(drop).map_err(refused("AdminDisableUser"))
            }
            Fate::Joins => self.join(number).await,
            Fate::Leaves => {
                let removing = cognito.admin_remove_user_from_group().user_pool_id(pool);
                let removing = removing.username(name(number)).group_name(GROUP).send();
                removing.await.map(drop).map_err(refused("AdminRemoveUserFromGroup"))
            }
            Fate::Deleted => {
                let deleting = cognito.admin_delete_user().user_pool_id(pool).username(name(number));
                deleting.send().await.map(drop).map_err(refused("AdminDeleteUser"))
            }
            Fate::EditedInTable => self.edit_in_table(sub).await,
            Fate::RemovedFromTable => {
                let key = user_key(pool, sub);
                let deleting = self
                    .stack
                    .dynamodb
                    .delete_item()
                    .table_name(&self.stack.deployment.table);
                let deleting = deleting
                    .key("pk", AttributeValue::S(key.pk))
                    .key("sk", AttributeValue::S(key.sk));
                deleting.send().await.map(drop).map_err(refused("DeleteItem"))
            }
        }
    }

    async fn edit_in_table(&self, sub: &Sub) -> Result<(), Failure> {
        let key = user_key(&self.pool.id, sub);
        let updating = self
            .stack
            .dynamodb
            .update_item()
            .table_name(&self.stack.deployment.table);
        let updating = updating
            .key("pk", AttributeValue::S(key.pk))
            .key("sk", AttributeValue::S(key.sk));
        updating
            .update_expression("SET #record.#attributes.#data.#values.#email = :email")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#record", "record")
            .expression_attribute_names("#attributes", "attributes")
            .expression_attribute_names("#data", "data")
            .expression_attribute_names("#values", "values")
            .expression_attribute_names("#email", "email")
            .expression_attribute_values(":email", AttributeValue::S("edited-by-hand@example.com".to_owned()))
            .send()
            .await
            .map(drop)
            .map_err(refused("UpdateItem"))
    }
}
