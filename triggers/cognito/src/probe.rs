//! Telling an operator's probe from an event of Cognito's.
//!
//! Invariant: only `triggerSource` makes a probe, and that is Cognito's to write: whatever a user puts into attributes or client
//! metadata makes none.

use serde_json::{Value, value::RawValue};
use twinpool_shared::attach::PROBE_SOURCE;

/// Whether `event` is a probe of `twinpool attach`.
pub(crate) fn is_probe(event: &RawValue) -> bool {
    // Nearly every event is told apart without being parsed once more.
    event.get().contains(PROBE_SOURCE)
        && serde_json::from_str::<Value>(event.get()).is_ok_and(|event| event["triggerSource"] == PROBE_SOURCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_trigger_source_makes_a_probe() {
        let event = twinpool_shared::attach::probe("us-east-1_EXAMPLE", "us-east-1").to_string();
        for (event, expected) in [
            (event.as_str(), true),
            (r#"{ "triggerSource" : "TwinpoolProbe_Attach" }"#, true),
            (r#"{"triggerSource":"TwinpoolProbe_Attach2"}"#, false),
            (r#"{"triggerSource":["TwinpoolProbe_Attach"]}"#, false),
            (
                r#"{"triggerSource":"CustomMessage_SignUp","userName":"TwinpoolProbe_Attach"}"#,
                false,
            ),
            (r#"{"request":{"triggerSource":"TwinpoolProbe_Attach"}}"#, false),
            (r#""TwinpoolProbe_Attach""#, false),
            (r#"["TwinpoolProbe_Attach"]"#, false),
        ] {
            let event = RawValue::from_string(event.to_owned()).unwrap();
            assert_eq!(is_probe(&event), expected, "{event}");
        }
    }
}
