//! What whoever deploys is asked.
//!
//! Invariant: a typing error is refused before anything is created.

use crate::templates::document::Templates;

pub(super) fn described_and_bounded(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    for (file, template) in &templates.0 {
        for (name, parameter) in template["Parameters"].as_object().into_iter().flatten() {
            let text = |member: &str| parameter[member].as_str().unwrap_or_default();
            if text("Description").is_empty() {
                found.push(format!("{file} {name}: no description"));
            }
            let pattern = text("AllowedPattern");
            let bounded = match text("Type") {
                "Number" => parameter["MinValue"].is_number(),
                "String" | "CommaDelimitedList" => pattern.starts_with('^') && pattern.ends_with('$'),
                _ => false,
            };
            if !bounded && !parameter["AllowedValues"].is_array() {
                found.push(format!("{file} {name}: anything is taken"));
            }
            let says = !pattern.is_empty() && text("ConstraintDescription").is_empty();
            if says {
                found.push(format!(
                    "{file} {name}: a refusal quotes a pattern and not what it means"
                ));
            }
        }
    }
    found
}

/// A reconcile that is scheduled once, by `at(...)`, comes once and never again.
pub(super) fn every_night(templates: &Templates) -> Vec<String> {
    let pattern = &templates.of("primary.yaml")["Parameters"]["ReconcileSchedule"]["AllowedPattern"];
    let kinds = pattern
        .as_str()
        .and_then(|pattern| pattern.strip_prefix("^(")?.split(')').next());
    let again = |kinds: &str| kinds.split('|').all(|kind| ["cron", "rate"].contains(&kind));
    if kinds.is_some_and(again) {
        Vec::new()
    } else {
        vec!["primary.yaml ReconcileSchedule: takes a schedule that ends".to_owned()]
    }
}
