//! `--fail-if`: by how much a figure may change before the comparison fails.

use std::fmt;
use std::str::FromStr;

use crate::figure::metric::Metric;
use crate::statistics::Estimate;

/// The form of a threshold, for error messages.
const FORM: &str = "write [SCENARIO.]METRIC>+N% or [SCENARIO.]METRIC<-N%, in quotes, for example \
                    'p99>+5%' or 'ping_pong.rate<-10%'";

/// The longest text that is read; a longer one is not repeated in an error message.
const LENGTH_MAX: usize = 200;

/// A change that is too large.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Threshold {
    /// `None` for all scenarios that have the metric.
    pub(crate) scenario: Option<String>,
    pub(crate) metric: Metric,
    direction: Direction,
    /// Above 0.
    percent: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Grows,
    Falls,
}

impl Threshold {
    /// Whether the threshold applies to this scenario.
    pub(crate) fn is_about(&self, scenario: &str) -> bool {
        self.scenario.as_deref().is_none_or(|name| name == scenario)
    }

    /// Whether the whole interval of this ratio, later to earlier, exceeds the threshold.
    pub(crate) fn is_exceeded(&self, estimate: &Estimate) -> bool {
        // Compares ratios directly: a conversion to percent would round twice.
        match self.direction {
            Direction::Grows => estimate.low > 1.0 + self.percent / 100.0,
            Direction::Falls => estimate.high < 1.0 - self.percent / 100.0,
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scenario) = &self.scenario {
            write!(f, "{scenario}.")?;
        }
        let sign = match self.direction {
            Direction::Grows => ">+",
            Direction::Falls => "<-",
        };
        write!(f, "{}{sign}{}%", self.metric.name(), self.percent)
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Threshold, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("longer than {LENGTH_MAX} bytes; {FORM}"));
        }
        let text = text.trim();
        let place = text.find(['<', '>']).ok_or_else(|| format!("no `>` or `<`; {FORM}"))?;
        let (subject, (operator, limit)) = (&text[..place], text[place..].split_at(1));
        let (scenario, metric) = read_subject(subject.trim())?;
        let (direction, sign, other) = match operator {
            ">" => (Direction::Grows, '+', '-'),
            _ => (Direction::Falls, '-', '+'),
        };
        let limit = limit.trim();
        let Some(number) = limit.strip_prefix(sign) else {
            let given = match limit.starts_with(other) {
                true => format!("`{other}` after `{operator}`"),
                false => format!("no sign after `{operator}`"),
            };
            return Err(format!("{given}, where a `{sign}` belongs; {FORM}"));
        };
        let number =
            number.strip_suffix('%').ok_or_else(|| format!("no `%` at the end; {FORM}"))?;
        let percent = read_percent(number.trim())?;
        if direction == Direction::Falls && percent >= 100.0 {
            return Err(format!("nothing falls by more than 100 %, so it never fails; {FORM}"));
        }
        Ok(Threshold { scenario, metric, direction, percent })
    }
}

fn read_subject(subject: &str) -> Result<(Option<String>, Metric), String> {
    let (scenario, name) = match subject.rsplit_once('.') {
        Some((scenario, name)) => (Some(scenario), name),
        None => (None, subject),
    };
    let known = Metric::ALL.into_iter().find(|metric| metric.name() == name);
    let metric = known.ok_or_else(|| {
        let names: Vec<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        let names = names.join(", ");
        match subject.ends_with("p99.9") {
            true => format!("the metric is called `p999`; {FORM}"),
            false => format!("unknown metric `{name}`, there are {names}; {FORM}"),
        }
    })?;
    match scenario {
        Some("") => Err(format!("no scenario before the dot; {FORM}")),
        scenario => Ok((scenario.map(str::to_owned), metric)),
    }
}

/// Digits with at most one dot: no exponent, no infinity.
fn read_percent(number: &str) -> Result<f64, String> {
    let is_plain = number.chars().all(|digit| digit.is_ascii_digit() || digit == '.');
    match number.parse::<f64>() {
        Ok(percent) if is_plain && percent.is_finite() => Ok(percent),
        _ => Err(format!("`{number}` is not a number like 5 or 2.5; {FORM}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Threshold {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_written_is_understood() {
        for (text, scenario, metric, exceeded, kept) in [
            ("p99>+5%", None, Metric::P99, 1.051, 1.05),
            ("rate<-5%", None, Metric::Rate, 0.949, 0.95),
            ("ping_pong.p99>+5%", Some("ping_pong"), Metric::P99, 1.06, 0.5),
            (" fan_in.memory > + 2.5 % ", Some("fan_in"), Metric::Memory, 1.026, 1.024),
            ("p999>+0%", None, Metric::P999, 1.0001, 1.0),
            ("max>+900%", None, Metric::Max, f64::INFINITY, 10.0),
            ("p50<-99.5%", None, Metric::P50, 0.004, 0.006),
        ] {
            let threshold = parse(text);
            assert_eq!(threshold.scenario.as_deref(), scenario, "{text}");
            assert_eq!(threshold.metric, metric, "{text}");
            let exactly = |ratio| Estimate { median: ratio, low: ratio, high: ratio };
            assert!(threshold.is_exceeded(&exactly(exceeded)), "{text}");
            assert!(!threshold.is_exceeded(&exactly(kept)), "{text}");
            let [low, high] = [exceeded.min(kept), exceeded.max(kept)];
            let unclear = Estimate { median: exceeded, low, high };
            assert!(!threshold.is_exceeded(&unclear), "{text}");
            assert_eq!(parse(&threshold.to_string()), threshold);
        }
    }

    #[test]
    fn errors_say_what_would_be_right() {
        for (text, problem) in [
            ("", "no `>` or `<`"),
            ("p99", "no `>` or `<`"),
            ("p99=5%", "no `>` or `<`"),
            (">+5%", "unknown metric ``"),
            ("p98>+5%", "unknown metric `p98`, there are rate, p50, p90, p99, p999, max, memory"),
            ("p99.9>+5%", "the metric is called `p999`"),
            ("ring.p99.9>+5%", "the metric is called `p999`"),
            (".p99>+5%", "no scenario before the dot"),
            ("p99>5%", "no sign after `>`, where a `+` belongs"),
            ("p99>-5%", "`-` after `>`, where a `+` belongs"),
            ("rate<+5%", "`+` after `<`, where a `-` belongs"),
            ("p99>=+5%", "no sign after `>`"),
            ("p99>+5", "no `%` at the end"),
            ("p99>+%", "`` is not a number"),
            ("p99>+NaN%", "`NaN` is not a number"),
            ("p99>+inf%", "`inf` is not a number"),
            ("p99>+1e9%", "`1e9` is not a number"),
            ("p99>++5%", "`+5` is not a number"),
            ("p99>+5%%", "`5%` is not a number"),
            ("p99>+1.2.3%", "`1.2.3` is not a number"),
            ("rate<-100%", "nothing falls by more than 100 %"),
            ("π>+٣%", "unknown metric `π`"),
            ("p99>+٣%", "`٣` is not a number"),
        ] {
            let error = text.parse::<Threshold>().unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
            assert!(error.contains("'p99>+5%'"), "{error}");
        }
        let error = "9".repeat(1 << 20).parse::<Threshold>().unwrap_err();
        assert!(error.len() < 300, "{error}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            _ = text.parse::<Threshold>();
        }

        #[test]
        fn nearly_right_texts_do_not_either(text in "[a-z0-9_.]{0,8}[<>]?[+-]?[0-9.]{0,400}%?") {
            if let Ok(threshold) = text.parse::<Threshold>() {
                prop_assert_eq!(parse(&threshold.to_string()), threshold);
            }
        }
    }
}
