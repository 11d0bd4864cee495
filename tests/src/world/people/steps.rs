//! The steps, and how likely each is.
//!
//! Invariant: a step that the pool refuses is a step all the same; refusals have events, too.

use serde_json::{Value, json};

use super::{
    People, USERS_MAX,
    calls::{Heard, PASSWORD, created, signed_up},
};
use crate::world::{table::Edit, weather::Story};

impl People {
    /// One thing that somebody does.
    pub(super) fn step(&mut self) {
        if let Some(place) = self.leaving.take() {
            return self.leave(place);
        }
        let crowded = self.persons.len() >= USERS_MAX;
        let dice = self.draw.below(100);
        if self.persons.len() < 3 && dice >= 8 || (dice < 17 && !crowded) {
            return self.join(dice);
        }
        let Some(place) = self.anybody() else {
            return self.join(dice);
        };
        match dice {
            0..24 => self.confirm(place),
            24..36 => self.edit(place),
            36..38 => drop(self.admin(
                "AdminDeleteUserAttributes",
                place,
                json!({ "UserAttributeNames": ["nickname"] }),
            )),
            38..43 => drop(self.admin("AdminDisableUser", place, json!({}))),
            43..48 => drop(self.admin("AdminEnableUser", place, json!({}))),
            48..53 => self.leave(place),
            // A last change in the second of the deletion: CloudTrail cannot put them in order.
            53..55 => {
                self.edit(place);
                self.leaving = Some(place);
            }
            55..67 => self.membership("AdminAddUserToGroup", place),
            67..71 => self.membership("AdminRemoveUserFromGroup", place),
            71..83 => self.group_step(),
            83..87 => self.factors(place),
            87..93 => drop(self.sign_in(place)),
            93..95 => self.password(place),
            _ => self.behind_the_back(place),
        }
    }

    fn join(&mut self, dice: u64) {
        let name = self.value("user");
        let attributes = json!([
            { "Name": "email", "Value": format!("{name}@example.com") },
            { "Name": "nickname", "Value": self.value("n") },
        ]);
        let federated = self.story != Story::ReplicatorAlone && dice % 5 == 4;
        if federated {
            self.federated(&name);
        } else if dice.is_multiple_of(2) {
            let input = json!({
                "ClientId": self.pool.client(), "Username": name, "Password": PASSWORD, "UserAttributes": attributes,
            });
            self.create("SignUp", name, input, Heard::Yes, signed_up);
        } else {
            self.invite(name, &attributes, Heard::Yes);
        }
    }

    fn invite(&mut self, name: String, attributes: &Value, heard: Heard) {
        let input = json!({
            "UserPoolId": self.pool.id(), "Username": name, "UserAttributes": attributes,
            "TemporaryPassword": PASSWORD, "DesiredDeliveryMediums": ["EMAIL"],
        });
        self.create("AdminCreateUser", name, input, heard, created);
    }

    fn federated(&mut self, name: &str) {
        let input = json!({
            "UserPoolId": self.pool.id(), "ProviderName": "Google", "ProviderUserId": name,
            "ClientId": self.pool.client(), "Attributes": { "email": format!("{name}@example.com") },
        });
        let name = format!("Google_{name}");
        self.create("LocalcloudFederatedSignIn", name, input, Heard::Yes, signed_up);
    }

    fn confirm(&mut self, place: usize) {
        match self.persons[place].code.clone() {
            Some(code) if self.draw.percent(75) => {
                self.app("ConfirmSignUp", place, json!({ "ConfirmationCode": code }));
            }
            _ => {
                self.admin("AdminConfirmSignUp", place, json!({}));
            }
        }
    }

    fn edit(&mut self, place: usize) {
        let nickname = json!({ "Name": "nickname", "Value": self.value("n") });
        let changes = match self.draw.below(6) {
            0 => json!([{ "Name": "email", "Value": format!("{}@example.org", self.value("mail")) }]),
            1 => json!([{ "Name": "phone_number", "Value": format!("+3161{:07}", self.counter) }, nickname]),
            _ => json!([nickname]),
        };
        if self.draw.percent(25)
            && let Some(token) = self.sign_in(place)
        {
            let input = json!({ "AccessToken": token, "UserAttributes": changes });
            self.call("UpdateUserAttributes", input, Some(place));
            return;
        }
        self.admin("AdminUpdateUserAttributes", place, json!({ "UserAttributes": changes }));
    }

    fn leave(&mut self, place: usize) {
        if self.living() < 2 {
            return;
        }
        let own = self.draw.percent(40).then(|| self.sign_in(place)).flatten();
        let gone = match own {
            Some(token) => self.call("DeleteUser", json!({ "AccessToken": token }), Some(place)),
            None => self.admin("AdminDeleteUser", place, json!({})),
        };
        if gone.is_some() {
            self.persons[place].alive = false;
        }
    }

    fn membership(&mut self, operation: &str, place: usize) {
        let group = self.group();
        self.journal.note("pool", format!("{group}:"));
        self.admin(operation, place, json!({ "GroupName": group }));
    }

    fn group_step(&mut self) {
        let group = self.group();
        let of_group = json!({ "UserPoolId": self.pool.id(), "GroupName": group });
        let with = |more: Value| {
            let mut input = of_group.clone();
            if let (Some(all), Value::Object(more)) = (input.as_object_mut(), more) {
                all.extend(more);
            }
            input
        };
        let description = self.value("d");
        self.journal.note("pool", format!("{group}:"));
        match self.draw.below(10) {
            0..4 => drop(self.call("CreateGroup", with(json!({ "Description": description })), None)),
            4..5 => drop(self.call("UpdateGroup", with(json!({ "Precedence": self.counter % 7 })), None)),
            5..7 => drop(self.call("DeleteGroup", of_group, None)),
            _ => {
                // Deleted and made again at once, without its members by anybody's clock.
                let deleted = self.call("DeleteGroup", of_group.clone(), None).is_some();
                if deleted && self.story != Story::ReplicatorAlone {
                    self.call("CreateGroup", with(json!({ "RoleArn": role(&description) })), None);
                }
            }
        }
    }

    fn factors(&mut self, place: usize) {
        let on = self.draw.percent(60);
        let settings = json!({ "Enabled": on, "PreferredMfa": on });
        let member = if self.draw.percent(70) {
            "EmailMfaSettings"
        } else {
            "SMSMfaSettings"
        };
        self.admin("AdminSetUserMFAPreference", place, json!({ member: settings }));
    }

    fn password(&mut self, place: usize) {
        if self.draw.percent(60) {
            let input = json!({ "Password": PASSWORD, "Permanent": true });
            self.admin("AdminSetUserPassword", place, input);
        } else {
            self.admin("AdminResetUserPassword", place, json!({}));
        }
    }

    /// What no event tells: an import, or somebody in the table's console.
    fn behind_the_back(&mut self, place: usize) {
        if self.story == Story::ReplicatorAlone {
            return self.edit(place);
        }
        if self.draw.percent(30) && self.persons.len() + 4 < USERS_MAX {
            for _ in 0..=self.draw.below(3) {
                let name = self.value("imported");
                let attributes = json!([{ "Name": "nickname", "Value": self.value("n") }]);
                self.invite(name, &attributes, Heard::No);
            }
            return;
        }
        let edit = match self.draw.below(8) {
            0..3 => Edit::Nickname(self.value("forged")),
            3 => Edit::Enabled,
            4 => Edit::Status,
            5 => Edit::Groups(self.group().to_owned()),
            6 => Edit::Tombstone,
            _ => Edit::Removed,
        };
        // A tombstone is the only thing that can be forged of the dead.
        let sub = if edit == Edit::Tombstone {
            let dead = self.persons.iter().find(|person| !person.alive);
            dead.map(|person| person.sub.clone())
        } else {
            Some(self.persons[place].sub.clone())
        };
        if let Some(sub) = sub {
            self.table.edit(&sub, &edit);
        }
    }
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}
