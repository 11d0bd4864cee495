//! Wildcards in policies: each is listed here with its reason, and one that is not listed is found.
//!
//! Invariant: an entry of the lists that no policy needs any more is found too.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::templates::document::{Templates, branches, elements, read};

/// Actions with a wildcard, where they may stand, and why.
const ACTIONS: &[(&str, &str, &str)] = &[
    (
        "kms:*",
        "key",
        "the account administers its key by IAM; without this statement nobody could ever change the key again",
    ),
    (
        "kms:ReEncrypt*",
        "key",
        "ReEncryptFrom and ReEncryptTo; as CloudWatch Logs documents its statement",
    ),
    (
        "kms:GenerateDataKey*",
        "key",
        "GenerateDataKey with and without the plaintext; as CloudWatch Logs documents its statement",
    ),
    ("kms:Describe*", "key", "as CloudWatch Logs documents its statement"),
    (
        "kms:ReEncrypt*",
        "role",
        "ReEncryptFrom and ReEncryptTo; as DynamoDB documents its use of a customer managed key",
    ),
    (
        "kms:GenerateDataKey*",
        "role",
        "GenerateDataKey with and without the plaintext; as DynamoDB documents it",
    ),
];

/// Actions that take no resource, and why.
const WITHOUT_RESOURCE: &[(&str, &str)] = &[
    (
        "cognito-idp:DescribeUserPoolDomain",
        "a domain is named without its pool",
    ),
    ("cognito-idp:GetProvisionedLimit", "a quota is the account's"),
    ("cognito-idp:ListUserPools", "a list is of the whole Region"),
    (
        "cognito-idp:CreateUserPool",
        "a pool that is not there yet has no ARN; the plan's tag is a condition",
    ),
    ("logs:CreateLogDelivery", "delivery of vended logs knows no resource"),
    ("logs:DeleteLogDelivery", "delivery of vended logs knows no resource"),
    ("logs:DescribeLogGroups", "delivery of vended logs knows no resource"),
    (
        "logs:DescribeResourcePolicies",
        "delivery of vended logs knows no resource",
    ),
    ("logs:GetLogDelivery", "delivery of vended logs knows no resource"),
    ("logs:ListLogDeliveries", "delivery of vended logs knows no resource"),
    ("logs:PutResourcePolicy", "delivery of vended logs knows no resource"),
    ("logs:UpdateLogDelivery", "delivery of vended logs knows no resource"),
];

/// A statement of a policy.
pub(in crate::templates) struct Statement<'a> {
    /// File and logical id.
    pub(in crate::templates) place: String,
    /// `key` for a key's own policy, `role` for a role's, `resource` for another resource's.
    pub(in crate::templates) of: &'static str,
    /// The statement.
    pub(in crate::templates) whole: &'a Value,
}

impl Statement<'_> {
    pub(in crate::templates) fn actions(&self) -> BTreeSet<&str> {
        let actions = elements(&self.whole["Action"]).into_iter();
        actions.filter_map(Value::as_str).collect()
    }
}

/// Every statement of every policy, trust policies left out.
pub(in crate::templates) fn statements(templates: &Templates) -> Vec<Statement<'_>> {
    let mut found = Vec::new();
    for resource in templates.resources() {
        let kind = resource.whole["Type"].as_str().unwrap_or_default();
        let (of, documents) = match kind {
            "AWS::KMS::Key" | "AWS::KMS::ReplicaKey" => ("key", vec![resource.property("KeyPolicy")]),
            "AWS::IAM::Role" => {
                let policies = elements(resource.property("Policies")).into_iter();
                ("role", policies.map(|policy| &policy["PolicyDocument"]).collect())
            }
            "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy" => ("role", vec![resource.property("PolicyDocument")]),
            "AWS::DynamoDB::GlobalTable" => {
                let replicas = elements(resource.property("Replicas")).into_iter();
                let policies = replicas.flat_map(|replica| branches(&replica["ResourcePolicy"]));
                let policies = policies.map(|policy| &policy["PolicyDocument"]);
                ("resource", policies.collect())
            }
            _ => ("resource", vec![resource.property("PolicyDocument")]),
        };
        for document in documents {
            let statements = elements(&document["Statement"]).into_iter();
            found.extend(statements.map(|whole| Statement {
                place: format!("{} {}", resource.file, resource.id),
                of,
                whole,
            }));
        }
    }
    found
}

pub(super) fn wildcard_actions(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for statement in statements(templates) {
        if statement.actions().is_empty() || !statement.whole["NotAction"].is_null() {
            found.push(format!("{}: allows by what it does not name", statement.place));
        }
        for action in statement.actions().into_iter().filter(|action| action.contains('*')) {
            match ACTIONS
                .iter()
                .find(|(name, of, _)| *name == action && *of == statement.of)
            {
                Some(entry) => {
                    used.insert(*entry);
                }
                None => found.push(format!("{}: {action}", statement.place)),
            }
            let for_a_service = statement.whole["Condition"]["StringEquals"]["kms:ViaService"].is_object();
            if statement.of == "role" && !for_a_service {
                found.push(format!("{}: {action} not only for a service", statement.place));
            }
        }
    }
    let left = ACTIONS.iter().filter(|entry| !used.contains(*entry));
    found.extend(left.map(|(action, of, _)| format!("{action} of a {of} stands in the list and in no policy")));
    found
}

pub(super) fn wildcard_resources(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    let statements = statements(templates);
    for statement in statements.iter().filter(|statement| statement.of != "key") {
        let anything = elements(&statement.whole["Resource"])
            .into_iter()
            .any(|resource| resource == "*");
        if !anything {
            continue;
        }
        for action in statement.actions() {
            match WITHOUT_RESOURCE.iter().find(|(name, _)| *name == action) {
                Some((name, _)) => {
                    used.insert(*name);
                }
                None => found.push(format!("{}: {action} on everything", statement.place)),
            }
        }
    }
    let left = WITHOUT_RESOURCE.iter().filter(|(action, _)| !used.contains(action));
    found.extend(left.map(|(action, _)| format!("{action} stands in the list and in no policy")));
    found
}

/// Lines of a template that give a statement every resource, each with whether a comment explains it.
fn explained(text: &str) -> Vec<(usize, bool)> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if line.trim_start() != "Resource: \"*\"" {
            continue;
        }
        // Up to the line that begins the statement, and the comment over it.
        let mut above = lines[..number].iter().rev();
        let begins = above.find(|other| other.trim_start().starts_with("- ") && indent(other) < indent(line));
        let over = above.next().copied().unwrap_or_default();
        found.push((number + 1, begins.is_some() && over.trim_start().starts_with('#')));
    }
    found
}

#[test]
fn every_statement_about_all_resources_says_why_in_the_template() {
    for file in Templates::load().0.keys() {
        let text = read(&format!("infra/{file}"));
        // In a key's own policy it is that key; its comment is in the list above.
        let found = explained(&text);
        let lines: Vec<&str> = text.lines().collect();
        for (number, explained) in found {
            let in_a_key = lines[..number].iter().rev().find_map(|line| {
                let inside = line.trim_start();
                if inside == "KeyPolicy:" {
                    return Some(true);
                }
                (inside == "PolicyDocument:").then_some(false)
            });
            assert!(explained || in_a_key == Some(true), "infra/{file}:{number}: no reason");
        }
    }
    let text = "  - Effect: Allow\n    Action: a:B\n    Resource: \"*\"\n";
    assert_eq!(explained(text), [(3, false)]);
    let text = format!("  # It takes none.\n{text}");
    assert_eq!(explained(&text), [(4, true)]);
}
