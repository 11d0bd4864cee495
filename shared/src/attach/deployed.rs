//! The stack of infra/primary.yaml, as far as an attachment needs it.
//!
//! Invariant: a stack that is not one of infra/primary.yaml is refused here, by what it lacks.

use std::collections::BTreeMap;

use super::{Slot, Slots, is_of_function};
use crate::error::{Error, ErrorKind};

/// The parameter that lists the pools.
const POOLS: &str = "UserPoolIds";
/// The parameter that says where the template is.
pub const TEMPLATE: &str = "TemplateUrl";
/// States in which CloudFormation takes an update. [User guide, "Stack status codes"]
const SETTLED: [&str; 5] = [
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
];

/// A deployed stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// Its name.
    pub name: String,
    /// `StackStatus`.
    pub status: String,
    /// The pools that it copies.
    pub pools: Vec<String>,
    /// Its functions.
    pub functions: Slots,
    /// The functions that they are to invoke; absent where there is none.
    pub chains: Slots,
    /// Whether the stack says where its template is. Without it no parameter can be changed: an update that keeps the previous
    /// template keeps the previous values. [CloudFormation user guide, `AWS::LanguageExtensions`, considerations]
    pub has_template: bool,
}

impl Deployed {
    /// Reads outputs and parameters as `DescribeStacks` shows them.
    ///
    /// # Errors
    /// `Unmet` for a stack that is not one of infra/primary.yaml.
    pub fn read(
        name: &str,
        status: &str,
        outputs: &BTreeMap<String, String>,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let lacks = |what: &str| {
            let what = format!(
                "the stack {name} ({status}) has no {what}: name the stack of infra/primary.yaml, or deploy it to its end first"
            );
            Error::new(ErrorKind::Unmet, what)
        };
        let mut functions = Slots::new();
        let mut chains = Slots::new();
        for slot in Slot::ALL {
            let function = outputs.get(slot.output());
            let function = function.ok_or_else(|| lacks(&format!("output {}", slot.output())))?;
            functions.insert(slot, function.clone());
            let chain = parameters.get(slot.parameter());
            let chain = chain.ok_or_else(|| lacks(&format!("parameter {}", slot.parameter())))?;
            if !chain.is_empty() {
                chains.insert(slot, chain.clone());
            }
        }
        let pools = parameters
            .get(POOLS)
            .ok_or_else(|| lacks(&format!("parameter {POOLS}")))?;
        Ok(Self {
            name: name.to_owned(),
            status: status.to_owned(),
            pools: pools.split(',').map(|pool| pool.trim().to_owned()).collect(),
            functions,
            chains,
            has_template: parameters.get(TEMPLATE).is_some_and(|url| !url.is_empty()),
        })
    }

    /// Whether CloudFormation would take an update.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        SETTLED.contains(&self.status.as_str())
    }

    /// Whether something is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS")
    }

    /// Whether `arn` is the stack's function for `slot`, or a version or alias of it.
    #[must_use]
    pub fn owns(&self, slot: Slot, arn: &str) -> bool {
        self.functions
            .get(&slot)
            .is_some_and(|function| is_of_function(arn, function))
    }

    /// The functions that count, of a pool with these slots: a version or alias in its slot, which has settings and a policy of its
    /// own, or else the stack's function itself.
    #[must_use]
    pub fn in_force(&self, slots: &Slots) -> Slots {
        let held = |slot: Slot| slots.get(&slot).filter(|arn| self.owns(slot, arn));
        let functions = self.functions.iter();
        functions
            .map(|(slot, function)| (*slot, held(*slot).unwrap_or(function).clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn another_stack_is_refused_by_what_it_lacks() {
        let outputs = map(&[
            ("PostConfirmationArn", "a"),
            ("PostAuthenticationArn", "b"),
            ("CustomMessageArn", "c"),
        ]);
        let parameters = map(&[
            ("UserPoolIds", "us-east-1_a, us-east-1_b"),
            ("ChainPostConfirmation", "x"),
            ("ChainPostAuthentication", ""),
            ("ChainCustomMessage", ""),
        ]);
        let stack = Deployed::read("twinpool", "CREATE_COMPLETE", &outputs, &parameters).expect("a stack");
        assert_eq!(stack.pools, ["us-east-1_a", "us-east-1_b"]);
        assert_eq!(stack.chains, Slots::from([(Slot::PostConfirmation, "x".into())]));
        assert!(!stack.has_template);
        for (lacking, outputs, parameters) in [
            ("PostConfirmationArn", &BTreeMap::new(), &parameters),
            ("ChainPostConfirmation", &outputs, &BTreeMap::new()),
        ] {
            let error = Deployed::read("other", "CREATE_COMPLETE", outputs, parameters).expect_err(lacking);
            assert_eq!(error.kind, ErrorKind::Unmet);
            assert!(error.what.contains(lacking), "{}", error.what);
        }
    }

    #[test]
    fn a_stack_takes_updates_in_some_states_only() {
        let of = |status: &str| {
            let stack = Deployed {
                name: "s".into(),
                status: status.into(),
                pools: Vec::new(),
                functions: Slots::new(),
                chains: Slots::new(),
                has_template: true,
            };
            (stack.is_settled(), stack.is_busy())
        };
        assert_eq!(of("UPDATE_COMPLETE"), (true, false));
        assert_eq!(of("UPDATE_ROLLBACK_COMPLETE"), (true, false));
        assert_eq!(of("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), (false, true));
        assert_eq!(of("ROLLBACK_COMPLETE"), (false, false), "a stack that was never made");
        assert_eq!(of("UPDATE_ROLLBACK_FAILED"), (false, false));
    }
}
