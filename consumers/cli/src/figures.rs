//! Figures as a person reads them.
//!
//! Invariant: rounds for the reader only; documents of `--json` have the exact figures.

/// `count` with its thousands set apart: `1,234,567`.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration of two units at most: `45 s`, `3 min 20 s`, `5 h 33 min`, `2 d 4 h`.
pub(crate) fn duration(seconds: u64) -> String {
    let two = |(first, unit): (u64, &str), (second, smaller): (u64, &str)| {
        if second == 0 {
            format!("{first} {unit}")
        } else {
            format!("{first} {unit} {second} {smaller}")
        }
    };
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => two((minutes, "min"), (seconds % 60, "s")),
        3_600..86_400 => two((hours, "h"), (minutes % 60, "min")),
        _ => two((days, "d"), (hours % 24, "h")),
    }
}

/// US dollars of `cents`: `1,234.50`.
pub(crate) fn dollars(cents: u64) -> String {
    format!("{}.{:02}", thousands(cents / 100), cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped() {
        let shown = [0, 12, 123, 1_234, 123_456, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
        assert_eq!(dollars(123_450), "1,234.50");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let shown = [0, 59, 60, 200, 20_000, 90_000, 86_400].map(duration);
        assert_eq!(
            shown,
            ["0 s", "59 s", "1 min", "3 min 20 s", "5 h 33 min", "1 d 1 h", "1 d"]
        );
    }
}
