//! Attributes, compared by name.
//!
//! Invariant: an empty value is no value, and an address without a flag is unverified, on both sides.

use super::{Difference, Found, Reason, Verdict, Way, What, difference};
use crate::{
    import::{
        csv,
        recreate::{Recreation, is_cognitos_own},
    },
    personal::Personal,
};

pub(super) fn compare(wanted: &Recreation, way: Way, found: &Found<'_>, differences: &mut Vec<Difference>) {
    let shown = &found.user.attributes.values;
    for (name, value) in wanted.attributes.iter().chain(&wanted.later) {
        let what = match meaning(name, shown.get(name)) {
            shown if shown == meaning(name, Some(value)) => continue,
            Some(shown) => {
                if way == Way::Csv && name == "birthdate" && csv::birthdate(value.expose()).as_deref() == Some(&*shown)
                {
                    differences.push(difference(
                        name,
                        What::Differs,
                        Verdict::Expected(Reason::BirthdateForm),
                    ));
                    continue;
                }
                What::Differs
            }
            None => What::Missing,
        };
        differences.push(difference(name, what, Verdict::Unexpected));
    }
    let known = |name: &str| wanted.attributes.contains_key(name) || wanted.later.contains_key(name);
    let extra = shown
        .iter()
        .filter(|(name, value)| !known(name) && meaning(name, Some(value)).is_some())
        .filter(|(name, _)| !is_cognitos_own(name));
    differences.extend(extra.map(|(name, _)| difference(name, What::Extra, Verdict::Unexpected)));
}

/// What a value means; `None` for no value.
fn meaning(name: &str, value: Option<&Personal>) -> Option<String> {
    let value = value.map(Personal::expose).filter(|value| !value.is_empty())?;
    if matches!(name, "email_verified" | "phone_number_verified") {
        let flag = value.to_ascii_lowercase();
        return (flag != "false").then_some(flag);
    }
    Some(value.to_owned())
}
