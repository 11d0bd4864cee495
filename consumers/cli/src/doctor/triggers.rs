//! The pool's trigger slots: whose functions are in them, and where those send.
//!
//! Invariant: a function is taken for Twinpool's by what it is configured with, never by its name.

use aws_sdk_cognitoidentityprovider::types::LambdaConfigType;
use twinpool_shared::error::{Error, ErrorKind};

use super::{
    Finding,
    functions::{CHAIN_TO, Functions, QUEUE_URL, Settings, name},
};

/// Name of a finding and of the slot, for each of the three slots that Twinpool fills.
const SLOTS: [(&str, &str); 3] = [
    ("trigger.post-confirmation", "PostConfirmation"),
    ("trigger.post-authentication", "PostAuthentication"),
    ("trigger.custom-message", "CustomMessage"),
];

/// Reads and judges the functions in the slots.
pub(crate) async fn check(
    functions: &mut Functions,
    config: Option<&LambdaConfigType>,
    queue_url: Option<&str>,
) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(SLOTS.len());
    for ((check, slot), arn) in SLOTS.into_iter().zip(slots(config)) {
        findings.push(match arn {
            None => empty_slot(check, slot),
            Some(arn) => trigger(functions, check, slot, &arn, queue_url).await,
        });
    }
    findings
}

/// The functions in the three slots, in the order of [`SLOTS`].
fn slots(config: Option<&LambdaConfigType>) -> [Option<String>; 3] {
    let slot = |pick: fn(&LambdaConfigType) -> Option<&str>| {
        let arn = config.and_then(pick).filter(|arn| !arn.is_empty());
        arn.map(str::to_owned)
    };
    [
        slot(LambdaConfigType::post_confirmation),
        slot(LambdaConfigType::post_authentication),
        slot(LambdaConfigType::custom_message),
    ]
}

fn empty_slot(check: &'static str, slot: &str) -> Finding {
    Finding::warn(
        check,
        "no function is attached: such changes are heard from CloudTrail only, or found by the reconcile",
        format!("attach Twinpool's function to the slot {slot} (infra/README.md)"),
    )
}

async fn trigger(
    functions: &mut Functions,
    check: &'static str,
    slot: &str,
    arn: &str,
    queue_url: Option<&str>,
) -> Finding {
    let settings = match functions.settings(arn).await {
        Ok(settings) => settings,
        Err(error) if error.kind == ErrorKind::NotFound => {
            return Finding::fail(
                check,
                format!("the attached function {} does not exist: users' calls fail", name(arn)),
                format!("attach Twinpool's function to the slot {slot}, or empty it"),
            );
        }
        Err(error) => return Finding::unread(check, &error),
    };
    let chained = match &settings.chain_to {
        None => None,
        Some(chained) => Some((chained.as_str(), functions.settings(chained).await)),
    };
    judge_trigger(check, slot, arn, &settings, queue_url, chained)
}

fn judge_trigger(
    check: &'static str,
    slot: &str,
    arn: &str,
    settings: &Settings,
    queue_url: Option<&str>,
    chained: Option<(&str, Result<Settings, Error>)>,
) -> Finding {
    let own = name(arn);
    let Some(sends_to) = &settings.queue_url else {
        return Finding::warn(
            check,
            format!("the function {own}, which is not Twinpool's ({QUEUE_URL} is not set)"),
            format!("attach Twinpool's function to the slot {slot}, with {CHAIN_TO} set to {own}'s ARN"),
        );
    };
    if queue_url.is_some_and(|url| url != sends_to) {
        return Finding::fail(
            check,
            format!("{own} sends to another queue than the one named"),
            format!("name that queue with --queue-url, or correct {QUEUE_URL} of the function"),
        );
    }
    match chained {
        None => Finding::ok(check, own),
        Some((arn, Ok(_))) => Finding::ok(check, format!("{own}, chained to {}", name(arn))),
        Some((arn, Err(error))) if error.kind == ErrorKind::NotFound => Finding::fail(
            check,
            format!("{own} is chained to {}, which does not exist", name(arn)),
            format!("correct {CHAIN_TO} of the function"),
        ),
        Some((_, Err(error))) => Finding::unread(check, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    const ARN: &str = "arn:aws:lambda:us-east-1:111122223333:function:twinpool-post-confirmation";
    const OTHER: &str = "arn:aws:lambda:us-east-1:111122223333:function:theirs";
    const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/111122223333/changes";

    fn ours(chain_to: Option<&str>) -> Settings {
        Settings {
            queue_url: Some(QUEUE.to_owned()),
            chain_to: chain_to.map(str::to_owned),
        }
    }

    fn judged(settings: &Settings, url: Option<&str>, chained: Option<(&str, Result<Settings, Error>)>) -> Finding {
        judge_trigger(
            "trigger.post-confirmation",
            "PostConfirmation",
            ARN,
            settings,
            url,
            chained,
        )
    }

    #[test]
    fn a_slot_is_twinpools_or_somebody_elses() {
        assert_eq!(judged(&ours(None), None, None).state, State::Ok);
        assert_eq!(judged(&ours(None), Some(QUEUE), None).state, State::Ok);
        assert_eq!(
            judged(&ours(None), Some("https://elsewhere/q"), None).state,
            State::Fail
        );
        let theirs = judged(&Settings::default(), None, None);
        assert_eq!(theirs.state, State::Warn);
        assert!(theirs.fix.is_some_and(|fix| fix.contains("TWINPOOL_CHAIN_TO")));
    }

    #[test]
    fn a_chained_function_has_to_exist() {
        let of = |chained| judged(&ours(Some(OTHER)), None, Some((OTHER, chained)));
        let there = of(Ok(Settings::default()));
        assert_eq!(there.what, "twinpool-post-confirmation, chained to theirs");
        assert_eq!(of(Err(Error::new(ErrorKind::NotFound, "x"))).state, State::Fail);
        assert_eq!(of(Err(Error::new(ErrorKind::Denied, "x"))).state, State::Unknown);
    }
}
