//! Time is an input: nothing in the logic asks what time it is.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Serialize};

/// Where the time comes from. The one real implementation stands at the edge; tests own theirs.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The instants between which a certificate is valid, both included (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawValidity", into = "RawValidity")]
pub struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Validity {
    /// Refuses a period that ends before it begins.
    pub fn new(not_before: Timestamp, not_after: Timestamp) -> Result<Self, InvertedValidity> {
        if not_after < not_before {
            return Err(InvertedValidity {
                not_before,
                not_after,
            });
        }
        Ok(Self {
            not_before,
            not_after,
        })
    }

    /// The first instant of validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last instant of validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether `now` lies inside, ends included.
    pub fn contains(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Whether the period is over at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.not_after < now
    }

    /// What is left at `now`; negative once it is over.
    pub fn remaining(&self, now: Timestamp) -> Lapse {
        Lapse(self.not_after.duration_since(now))
    }

    /// The whole period.
    pub fn length(&self) -> Lapse {
        Lapse(self.not_after.duration_since(self.not_before))
    }
}

/// A validity whose end lies before its beginning.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a validity from {not_before} to {not_after} ends before it begins")]
pub struct InvertedValidity {
    /// The stated beginning.
    pub not_before: Timestamp,
    /// The stated end.
    pub not_after: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct RawValidity {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl TryFrom<RawValidity> for Validity {
    type Error = InvertedValidity;
    fn try_from(raw: RawValidity) -> Result<Self, InvertedValidity> {
        Self::new(raw.not_before, raw.not_after)
    }
}

impl From<Validity> for RawValidity {
    fn from(v: Validity) -> Self {
        Self {
            not_before: v.not_before,
            not_after: v.not_after,
        }
    }
}

/// A length of time as people write it in a policy: `90d`, `36h`, `1d 12h`, `45s`. A day is 24 hours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lapse(SignedDuration);

impl Lapse {
    /// No time at all.
    pub const ZERO: Self = Self(SignedDuration::ZERO);

    /// So many seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(SignedDuration::from_secs(seconds))
    }

    /// So many days of 24 hours.
    pub const fn days(days: i64) -> Self {
        Self(SignedDuration::from_hours(days * 24))
    }

    /// The same as a `jiff` duration.
    pub fn duration(self) -> SignedDuration {
        self.0
    }

    /// The same as a standard duration; a negative one is zero.
    pub fn unsigned(self) -> std::time::Duration {
        self.0.try_into().unwrap_or_default()
    }

    /// Whole days, rounded towards zero.
    pub fn whole_days(self) -> i64 {
        self.0.as_hours() / 24
    }

    /// The instant this long after `t`, held inside the representable range.
    pub fn after(self, t: Timestamp) -> Timestamp {
        t.saturating_add(self.0).unwrap_or(Timestamp::MAX)
    }

    /// The instant this long before `t`, held inside the representable range.
    pub fn before(self, t: Timestamp) -> Timestamp {
        t.saturating_sub(self.0).unwrap_or(Timestamp::MIN)
    }

    /// The sum, saturating.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `self` taken `n` times, saturating.
    pub fn times(self, n: i32) -> Self {
        Self(self.0.checked_mul(n).unwrap_or(SignedDuration::MAX))
    }
}

impl From<SignedDuration> for Lapse {
    fn from(duration: SignedDuration) -> Self {
        Self(duration)
    }
}

impl FromStr for Lapse {
    type Err = InvalidLapse;
    fn from_str(text: &str) -> Result<Self, InvalidLapse> {
        let invalid = || InvalidLapse {
            text: super::one_line(text),
        };
        let span: Span = text.parse().map_err(|_| invalid())?;
        let duration = span
            .to_duration(SpanRelativeTo::days_are_24_hours())
            .map_err(|_| invalid())?;
        if duration.is_negative() {
            return Err(invalid());
        }
        Ok(Self(duration))
    }
}

impl TryFrom<String> for Lapse {
    type Error = InvalidLapse;
    fn try_from(text: String) -> Result<Self, InvalidLapse> {
        text.parse()
    }
}

impl From<Lapse> for String {
    fn from(lapse: Lapse) -> Self {
        lapse.to_string()
    }
}

impl fmt::Display for Lapse {
    /// The two largest units that say something: `12d 4h`, `3m 20s`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_secs();
        if total < 0 {
            f.write_str("-")?;
        }
        let total = total.unsigned_abs();
        let parts = [
            (total / 86_400, "d"),
            (total / 3_600 % 24, "h"),
            (total / 60 % 60, "m"),
            (total % 60, "s"),
        ];
        let Some(first) = parts.iter().position(|(n, _)| *n > 0) else {
            return f.write_str("0s");
        };
        let mut shown = parts[first..].iter().take(2).filter(|(n, _)| *n > 0);
        if let Some((n, unit)) = shown.next() {
            write!(f, "{n}{unit}")?;
        }
        for (n, unit) in shown {
            write!(f, " {n}{unit}")?;
        }
        Ok(())
    }
}

/// A text that is no length of time.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "`{text}` is no length of time: write days, hours, minutes and seconds, like `90d` or `1d 12h`"
)]
pub struct InvalidLapse {
    /// What was given.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_twenty_four_hours() {
        assert_eq!("90d".parse::<Lapse>().unwrap(), Lapse::days(90));
        assert_eq!("1d 12h".parse::<Lapse>().unwrap(), "36h".parse().unwrap());
        assert_eq!("2s".parse::<Lapse>().unwrap(), Lapse::seconds(2));
    }

    #[test]
    fn a_negative_or_unitless_length_is_refused() {
        assert!("-1d".parse::<Lapse>().is_err());
        assert!("12".parse::<Lapse>().is_err());
    }

    #[test]
    fn a_length_is_shown_in_two_units_and_reads_back() {
        assert_eq!(
            Lapse::seconds(86_400 * 12 + 3_600 * 4 + 5).to_string(),
            "12d 4h"
        );
        assert_eq!(Lapse::ZERO.to_string(), "0s");
        assert_eq!(Lapse::seconds(200).to_string(), "3m 20s");
    }

    #[test]
    fn a_validity_that_ends_before_it_begins_is_refused() {
        let t = Timestamp::UNIX_EPOCH;
        assert!(Validity::new(Lapse::days(1).after(t), t).is_err());
    }

    #[test]
    fn both_ends_of_a_validity_are_valid() {
        let t = Timestamp::UNIX_EPOCH;
        let v = Validity::new(t, Lapse::days(1).after(t)).unwrap();
        assert!(v.contains(t) && v.contains(v.not_after()));
        assert!(!v.contains(Lapse::seconds(1).after(v.not_after())));
    }
}
