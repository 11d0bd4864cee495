//! What a survey asks next, and what follows from an answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Call, FAILURES_MAX, Keep, PAGES_MAX, Survey, Then, answer};
use crate::{
    error::ErrorKind,
    marks::Part,
    snapshot::{
        Content, POOL_LEVEL,
        normal::clean,
        plan::{self, Absence},
    },
    time::Timestamp,
};

impl Keep {
    fn new(name: impl Into<String>, member: Option<&'static str>) -> Self {
        Self {
            name: name.into(),
            member,
            own: None,
            missed: false,
        }
    }
}

impl Survey {
    /// The same without asking about `parts`. They are found neither set nor absent.
    #[must_use]
    pub fn without(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        self.skipped.extend(parts);
        self
    }

    /// Whether a call can bring anything new. If not, it is judged as the last one of its operation was.
    pub(super) fn is_worth_asking(&mut self, call: &Call) -> bool {
        if self.skipped.contains(&call.part) {
            return false;
        }
        if let Some((times, error)) = self.failures.get(call.operation)
            && (*times >= FAILURES_MAX || error.kind == ErrorKind::Denied)
        {
            let error = error.clone();
            self.findings.incomplete.entry(call.part).or_insert(error);
            return false;
        }
        if let Some((since, code)) = self.unavailable.get(call.operation).cloned() {
            self.absent(call, &code, since);
            return false;
        }
        true
    }

    /// What an answer makes worth asking.
    pub(super) fn follow(&mut self, call: &Call, keep: &Keep, kept: &Value, read_at: Timestamp) {
        match call.part {
            Part::Pool => self.after_pool(kept, read_at),
            Part::Domain => {
                // 2 is managed login; 1 or nothing is the classic hosted UI.
                let managed = kept.get("ManagedLoginVersion").and_then(Value::as_u64) >= Some(2);
                self.facts.managed_login |= managed;
                self.facts.classic_ui |= !managed;
            }
            Part::Sessions if keep.name == POOL_LEVEL => {
                self.facts.session_tracking = text(kept, "UserSessionTracking").is_some_and(|is| is != "DISABLED");
            }
            Part::Clients if text(kept, "ClientSecret").is_some() => self.ask(
                Part::Clients,
                plan::CLIENT_SECRETS,
                plan::of_client(&self.pool, &keep.name),
                Absence::Feature,
                Keep::new(plan::secrets_of(&keep.name), None),
            ),
            _ => {}
        }
    }

    fn after_pool(&mut self, pool: &Value, read_at: Timestamp) {
        self.facts.threat_protection = has_threat_protection(pool);
        let domains = ["Domain", "CustomDomain"]
            .into_iter()
            .filter_map(|name| text(pool, name));
        let domains: BTreeSet<String> = domains.map(str::to_owned).collect();
        for domain in &domains {
            self.ask_by_name(Part::Domain, &plan::DOMAIN, domain, false);
        }
        self.listed.insert(Part::Domain, domains);
        self.fully_listed.insert(Part::Domain, (plan::POOL.operation, read_at));
        plan::SINGLES.iter().for_each(|single| self.ask_single(single));
        if self.facts.threat_protection || self.marked.contains(&Part::Risk) {
            self.ask_single(&plan::RISK);
        }
        self.ask_for_tags(pool);
        for category in plan::LIMIT_CATEGORIES {
            let limit = json!({"LimitClass": "API_CATEGORY", "Attributes": {"Category": category}});
            let input = json!({"LimitDefinition": limit});
            let keep = Keep::new(category, Some("Limit"));
            self.ask(Part::Limits, plan::LIMIT, input, Absence::Feature, keep);
        }
        for listing in &plan::LISTINGS {
            self.ask_page(listing, 1, None);
        }
    }

    fn ask_for_tags(&mut self, pool: &Value) {
        match text(pool, "Arn") {
            Some(arn) => {
                let input = json!({"ResourceArn": arn});
                self.ask(
                    Part::Tags,
                    plan::TAGS,
                    input,
                    Absence::Feature,
                    Keep::new(POOL_LEVEL, None),
                );
            }
            None if self.skipped.contains(&Part::Tags) => {}
            None => {
                let error = answer::without(plan::POOL.operation, "Arn");
                self.findings.incomplete.insert(Part::Tags, error);
            }
        }
    }

    pub(super) fn page(
        &mut self,
        call: &Call,
        listing: &'static plan::Listing,
        page: u32,
        answer: &Value,
        read_at: Timestamp,
    ) {
        let Some(entries) = answer.get(listing.entries).and_then(Value::as_array) else {
            return self.fail(call, answer::without(call.operation, listing.entries));
        };
        for entry in entries {
            let Some(name) = text(entry, listing.id) else {
                return self.fail(call, answer::without(call.operation, listing.id));
            };
            // A list that changes while it is read may show an entry twice.
            if self.listed.entry(listing.part).or_default().insert(name.to_owned()) {
                self.listed_member(call, listing, name, entry, read_at);
            }
        }
        match text(answer, "NextToken") {
            Some(_) if page >= PAGES_MAX => self.fail(call, answer::endless(call.operation, PAGES_MAX)),
            Some(token) => self.ask_page(listing, page + 1, Some(token)),
            None => {
                self.fully_listed.insert(listing.part, (call.operation, read_at));
            }
        }
    }

    fn listed_member(&mut self, call: &Call, listing: &plan::Listing, name: &str, entry: &Value, read_at: Timestamp) {
        match &listing.describe {
            Some(describe) if !listing.entry_is_all => self.ask_by_name(listing.part, describe, name, false),
            _ => self.capture(call, name, Content::Json(clean(listing.part, entry.clone())), read_at),
        }
        if listing.part == Part::Clients {
            self.ask_about_client(name);
        }
    }

    fn ask_about_client(&mut self, client: &str) {
        // A domain that could not be read may have either UI.
        let unknown = |part| self.findings.incomplete.contains_key(&part);
        let (facts, any_ui, any_session) = (self.facts, unknown(Part::Domain), unknown(Part::Sessions));
        for call in &plan::OF_CLIENT {
            let wanted = match call.when {
                plan::When::ManagedLogin => facts.managed_login || any_ui,
                plan::When::ClassicUi => facts.classic_ui || any_ui,
                plan::When::ThreatProtection => facts.threat_protection,
                plan::When::SessionTracking => facts.session_tracking || any_session,
            };
            if wanted || self.marked.contains(&call.part) {
                let keep = Keep {
                    own: call.falls_back.then(|| ("ClientId", client.to_owned())),
                    ..Keep::new(client, call.keep)
                };
                let input = plan::of_client(&self.pool, client);
                self.ask(call.part, call.operation, input, Absence::Feature, keep);
            }
        }
    }

    pub(super) fn ask_single(&mut self, single: &plan::Single) {
        let keep = Keep::new(POOL_LEVEL, single.keep);
        let input = plan::of_pool(&self.pool);
        self.ask(single.part, single.operation, input, single.absence, keep);
    }

    fn ask_by_name(&mut self, part: Part, describe: &plan::Describe, name: &str, missed: bool) {
        let keep = Keep {
            // Somebody else may have taken the name of a domain that was given up.
            own: (!describe.in_pool).then(|| ("UserPoolId", self.pool.clone())),
            missed,
            ..Keep::new(name, Some(describe.keep))
        };
        let input = describe.input(&self.pool, name);
        self.ask(part, describe.operation, input, Absence::NotFound, keep);
    }

    fn ask(&mut self, part: Part, operation: &'static str, input: Value, absence: Absence, keep: Keep) {
        self.queue.push_back(Call {
            part,
            operation,
            input,
            absence,
            then: Then::Keep(keep),
        });
    }

    fn ask_page(&mut self, listing: &'static plan::Listing, page: u32, token: Option<&str>) {
        self.queue.push_back(Call {
            part: listing.part,
            operation: listing.operation,
            input: listing.input(&self.pool, token),
            absence: listing.absence,
            then: Then::Page(listing, page),
        });
    }

    /// Asks by name for what is stored and missing from a list that was read to its end.
    pub(super) fn ask_for_missed(&mut self) {
        let mut missed = BTreeSet::new();
        for (part, names) in &self.stored {
            for (list, owner) in names.iter().filter_map(|name| plan::listed(*part, name)) {
                let listed = self.listed.get(&list).is_some_and(|names| names.contains(owner));
                if !listed && self.fully_listed.contains_key(&list) {
                    missed.insert((list, owner.to_owned()));
                }
            }
        }
        for (list, owner) in missed {
            match (plan::describe(list), self.fully_listed.get(&list)) {
                (Some(describe), _) => self.ask_by_name(list, &describe, &owner, true),
                // Where AWS has no call by name, the list is the last word.
                (None, Some((source, read_at))) => self.gone(list, &owner, source, *read_at),
                (None, None) => {}
            }
        }
    }

    /// Asks for the pool again when anything stored would be taken away.
    pub(super) fn ask_whether_still_there(&mut self) {
        if self.findings.captured.iter().any(|captured| self.takes_away(captured)) {
            self.queue.push_back(Call {
                part: Part::Pool,
                operation: plan::POOL.operation,
                input: plan::of_pool(&self.pool),
                absence: plan::POOL.absence,
                then: Then::StillThere,
            });
        }
    }
}

fn has_threat_protection(pool: &Value) -> bool {
    let add_ons = pool.get("UserPoolAddOns");
    let mode = add_ons.and_then(|add_ons| text(add_ons, "AdvancedSecurityMode"));
    let flows = add_ons.and_then(|add_ons| add_ons.get("AdvancedSecurityAdditionalFlows"));
    mode.is_some_and(|mode| mode != "OFF") || flows.is_some_and(|flows| !answer::is_empty(flows))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}
