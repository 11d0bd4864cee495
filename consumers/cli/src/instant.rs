//! Instants as a person writes them on the command line.

use twinpool_shared::time::Timestamp;

/// An RFC 3339 instant (`2026-11-23T04:00:00Z`), or a date (`2026-11-23`), which is the start of that day in UTC.
///
/// # Errors
/// Says what is accepted.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "neither an instant such as 2026-11-23T04:00:00Z nor a date such as 2026-11-23".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_dates_are_understood_and_nothing_else_is_guessed() {
        let day = Timestamp::parse("2026-11-23T00:00:00Z");
        assert_eq!(parse("2026-11-23").ok(), day);
        assert_eq!(parse("2026-11-23T02:00:00+02:00").ok(), day);
        for odd in ["", "yesterday", "23.11.2026", "2026-11-23 04:00", "2026-13-01"] {
            assert!(parse(odd).is_err(), "{odd}");
        }
    }
}
