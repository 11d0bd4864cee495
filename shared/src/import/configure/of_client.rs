//! App clients, and what each has of its own.
//!
//! Invariant: a client keeps its secret. None may write the `sub` of the backup. Its id is new, so that whatever
//! belongs to it is known by the old one until it is made.

use serde_json::{Value, json};

use super::{CREATE_CLIENT, Phase, build::Build, form, permissions, step::SET_USER_INTERFACE};
use crate::{
    marks::Part,
    snapshot::{POOL_LEVEL, plan::secrets_of},
};

impl Build<'_> {
    pub(super) fn clients(&mut self) {
        let secrets: Vec<_> = self
            .members(Part::Clients)
            .filter(|(_, shown)| shown["ClientId"].is_null())
            .collect();
        for (id, shown) in self
            .members(Part::Clients)
            .filter(|(_, shown)| !shown["ClientId"].is_null())
        {
            let path = format!("clients/{id}");
            let mut input = form(CREATE_CLIENT, shown);
            self.analytics(&path, &mut input);
            let mut input = self.rewritten(&path, input);
            self.without_missing_providers(&path, &mut input);
            if self.has_marker {
                self.adjusted
                    .extend(permissions::adjust(&path, &mut input, &self.writable));
            }
            let two = secrets.iter().find(|(name, _)| *name == secrets_of(id));
            let two = two.and_then(|(_, shown)| shown["ClientSecrets"].as_array());
            if two.is_some_and(|secrets| secrets.len() > 1) {
                let what = "has a second secret, which Cognito shows to nobody: add it with AddUserPoolClientSecret";
                self.gap(secrets_path(id), what);
            }
            let name = shown["ClientName"].as_str().unwrap_or(id);
            self.push(Phase::Clients, CREATE_CLIENT, name, Some(id), input);
        }
    }

    /// An application that is named by its id is one of the lost Region; only one that is named by an ARN can be mapped.
    fn analytics(&mut self, path: &str, input: &mut Value) {
        let analytics = &input["AnalyticsConfiguration"];
        let lost = !analytics.is_null() && analytics["ApplicationArn"].is_null();
        let Some(members) = input.as_object_mut() else {
            return;
        };
        // Indexing may have left a null.
        members.retain(|_, value| !value.is_null());
        if lost {
            members.remove("AnalyticsConfiguration");
            let path = format!("{path}/AnalyticsConfiguration");
            self.gap(
                path,
                "names an application by an id of the lost Region, and is left out",
            );
        }
    }

    fn without_missing_providers(&mut self, path: &str, input: &mut Value) {
        let Some(Value::Array(providers)) = input.get_mut("SupportedIdentityProviders") else {
            return;
        };
        let missing = |name: &Value| {
            name.as_str()
                .filter(|name| self.missing_providers.contains(*name))
                .map(str::to_owned)
        };
        let left_out: Vec<String> = providers.iter().filter_map(missing).collect();
        providers.retain(|name| missing(name).is_none());
        for provider in left_out {
            let path = format!("{path}/SupportedIdentityProviders[{provider}]");
            self.gap(path, "add the identity provider once it is made by hand");
        }
    }

    pub(super) fn branding(&mut self) {
        for (client, shown) in self.members(Part::Branding) {
            self.of_client(
                (Phase::Branding, "CreateManagedLoginBranding"),
                Part::Branding,
                client,
                shown,
            );
        }
    }

    pub(super) fn terms(&mut self) {
        for (id, shown) in self.members(Part::Terms) {
            let Some(client) = shown["ClientId"].as_str() else {
                self.gap(format!("terms/{id}"), "the backup does not say whose they are");
                continue;
            };
            let input = self.rewritten(&format!("terms/{id}"), form("CreateTerms", shown));
            let subject = shown["TermsName"].as_str().unwrap_or(id);
            self.push(Phase::Terms, "CreateTerms", subject, Some(client), input);
        }
    }

    pub(super) fn user_interface(&mut self) {
        for (name, shown) in self.members(Part::UiCustomization) {
            let path = format!("ui-customization/{name}");
            if !shown["ImageUrl"].is_null() {
                self.gap(
                    format!("{path}/ImageUrl"),
                    "upload the logo of the hosted UI again (SetUICustomization, ImageFile)",
                );
            }
            if shown["CSS"].as_str().is_none_or(str::is_empty) {
                continue;
            }
            if self.has_domain {
                let call = (Phase::UserInterface, SET_USER_INTERFACE);
                self.of_client(call, Part::UiCustomization, name, shown);
            } else {
                self.gap(
                    path,
                    "set the CSS of the hosted UI once the pool has its domain; Cognito takes none before",
                );
            }
        }
    }

    pub(super) fn risk(&mut self) {
        for (name, shown) in self.members(Part::Risk) {
            if sets_something("SetRiskConfiguration", shown) {
                self.of_client((Phase::Risk, "SetRiskConfiguration"), Part::Risk, name, shown);
            }
        }
    }

    pub(super) fn sessions(&mut self) {
        for (name, shown) in self.members(Part::Sessions) {
            // What every pool has is not worth a call that older Regions may not know.
            if shown["UserSessionTracking"] == "DISABLED" {
                continue;
            }
            let operation = match name {
                POOL_LEVEL => "SetUserPoolSessionConfiguration",
                _ => "SetUserPoolClientSessionConfiguration",
            };
            if sets_something(operation, shown) {
                self.of_client((Phase::Sessions, operation), Part::Sessions, name, shown);
            }
        }
    }

    /// A step about what `name`, an app client or the pool as a whole, has of its own.
    fn of_client(&mut self, (phase, operation): (Phase, &'static str), part: Part, name: &str, shown: &Value) {
        let path = format!("{}/{name}", part.as_str());
        let input = self.rewritten(&path, form(operation, shown));
        if name == POOL_LEVEL {
            return self.push(phase, operation, name, None, input);
        }
        if self.member(Part::Clients, name).is_none() {
            // A client that the backup does not know at that instant has nothing that could be set.
            return self.gap(path, "belongs to an app client that the backup does not hold");
        }
        self.push(phase, operation, name, Some(name), input);
    }
}

fn secrets_path(client: &str) -> String {
    format!("clients/{}", secrets_of(client))
}

fn sets_something(operation: &str, shown: &Value) -> bool {
    form(operation, shown) != json!({})
}
