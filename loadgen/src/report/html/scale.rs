//! Axes: the position of a value on an axis, and the values that the axis labels.

/// How values are mapped to an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Begins at zero.
    Linear { max: f64 },
    /// From 1, 2 or 5 times a power of ten to another.
    Logarithmic { min: f64, max: f64 },
    /// Quantiles by their distance to 1 in powers of ten: 0, 0.9 and 0.99 are equally far apart.
    Nines { max: f64 },
}

/// A value with its label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    /// Empty for a line without a number.
    pub(super) label: String,
}

/// Approximate number of lines of a linear axis.
const LINEAR_TICKS: f64 = 6.0;

/// Axes over fewer powers of ten also label 2 and 5 times each.
const FEW_DECADES: f64 = 2.5;

/// The most powers of ten of a logarithmic axis that have a line each.
const DECADES_MAX: i32 = 12;

impl Scale {
    /// From zero to a round number that is not below any value.
    pub(super) fn linear(values: impl IntoIterator<Item = f64>) -> Scale {
        let max = values.into_iter().fold(0.0, f64::max);
        let step = step(max);
        Scale::Linear { max: ((max / step).ceil() * step).max(step) }
    }

    /// Between round numbers that enclose all values above zero, at least a power of ten apart.
    pub(super) fn logarithmic(values: impl IntoIterator<Item = f64>) -> Scale {
        let positive = values.into_iter().filter(|value| *value > 0.0);
        let (low, high) =
            positive.fold((f64::MAX, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return Scale::Logarithmic { min: 1.0, max: 10.0 };
        }
        let (min, max) = (round_down(low), round_up(high));
        match max / min < 10.0 {
            true => Scale::Logarithmic { min, max: min * 10.0 },
            false => Scale::Logarithmic { min, max },
        }
    }

    /// Up to the quantile of the largest of so many samples, at least to 0.9.
    pub(super) fn nines(samples: u64) -> Scale {
        Scale::Nines { max: (samples.clamp(10, 100_000_000) as f64).log10() }
    }

    /// The position of a value: 0 at the start of the axis, 1 at its end. Values outside are
    /// clamped.
    pub(super) fn fraction(self, value: f64) -> f64 {
        let fraction = match self {
            Scale::Linear { max } => value / max,
            Scale::Logarithmic { min, max } => (value.max(min) / min).ln() / (max / min).ln(),
            Scale::Nines { max } => nines(value) / max,
        };
        fraction.clamp(0.0, 1.0)
    }

    /// The values that the axis labels, formatted by `format`.
    pub(super) fn ticks(self, format: fn(f64) -> String) -> Vec<Tick> {
        let tick = |value| Tick { value, label: format(value) };
        match self {
            Scale::Linear { max } => {
                let step = step(max);
                (0..=(max / step).round() as u32).map(|n| tick(f64::from(n) * step)).collect()
            }
            Scale::Logarithmic { min, max } => logarithmic_ticks(min, max, format),
            Scale::Nines { max } => {
                let nines = (1..=max.floor() as i32).map(|n| tick(1.0 - 10_f64.powi(-n)));
                [0.0, 0.5].map(tick).into_iter().chain(nines).collect()
            }
        }
    }
}

/// The number of nines of a quantile: 0.999 has 3.
fn nines(quantile: f64) -> f64 {
    match quantile < 1.0 {
        true => -(1.0 - quantile).log10(),
        false => f64::INFINITY,
    }
}

fn logarithmic_ticks(min: f64, max: f64, format: fn(f64) -> String) -> Vec<Tick> {
    let has_all_labels = (max / min).log10() <= FEW_DECADES;
    let first = min.log10().floor() as i32;
    let last = (max.log10().ceil() as i32).min(first + DECADES_MAX);
    let mut ticks = Vec::new();
    for exponent in first..=last {
        for digit in [1.0, 2.0, 5.0] {
            let value = digit * 10_f64.powi(exponent);
            // Powers of ten are not exact.
            let is_inside = value > min * 0.999 && value < max * 1.001;
            if is_inside {
                let is_named = digit == 1.0 || has_all_labels;
                let label = if is_named { format(value) } else { String::new() };
                ticks.push(Tick { value, label });
            }
        }
    }
    ticks
}

/// Returns a round distance between the lines of a linear axis up to `max`.
fn step(max: f64) -> f64 {
    match max > 0.0 {
        true => round_up(max / LINEAR_TICKS),
        false => 1.0,
    }
}

fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let digits = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= value * 0.999);
    digits.unwrap_or(10.0) * power
}

fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let digits = [5.0, 2.0].into_iter().find(|digit| digit * power <= value * 1.001);
    digits.unwrap_or(1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        let ticks = scale.ticks(|value| format!("{}", (value * 1e6).round() / 1e6)).into_iter();
        ticks.map(|tick| tick.label).collect()
    }

    #[test]
    fn linear_axes_end_at_round_numbers() {
        let scale = Scale::linear([3.0, 37.0]);
        assert_eq!(labels(scale), ["0", "10", "20", "30", "40"]);
        assert_eq!((scale.fraction(0.0), scale.fraction(10.0)), (0.0, 0.25));
        assert_eq!(labels(Scale::linear([0.0])), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(Scale::linear([]), Scale::linear([0.0]));
    }

    #[test]
    fn logarithmic_axes_name_more_where_they_are_short() {
        assert_eq!(labels(Scale::logarithmic([3.0, 42.0])), ["2", "5", "10", "20", "50"]);
        let long = labels(Scale::logarithmic([1.0, 5000.0]));
        assert_eq!(long, ["1", "", "", "10", "", "", "100", "", "", "1000", "", ""]);
        assert_eq!(Scale::logarithmic([7.0]), Scale::Logarithmic { min: 5.0, max: 50.0 });
        let nothing = Scale::Logarithmic { min: 1.0, max: 10.0 };
        assert_eq!(Scale::logarithmic([0.0]), nothing);
        assert_eq!((nothing.fraction(0.0), nothing.fraction(1e9)), (0.0, 1.0));
        assert!((nothing.fraction(10_f64.sqrt()) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_spread_by_their_nines() {
        let scale = Scale::nines(10_000);
        assert_eq!(labels(scale), ["0", "0.5", "0.9", "0.99", "0.999", "0.9999"]);
        assert!((scale.fraction(0.99) - 0.5).abs() < 1e-9);
        assert_eq!((scale.fraction(0.0), scale.fraction(1.0)), (0.0, 1.0));
        assert_eq!(labels(Scale::nines(0)), ["0", "0.5", "0.9"]);
    }

    #[test]
    fn strange_values_make_no_endless_axis() {
        for value in [f64::MIN_POSITIVE, 1e-300, 1e300, f64::MAX] {
            assert!(labels(Scale::linear([value])).len() < 20);
            assert!(labels(Scale::logarithmic([value, 1.0])).len() < 60);
        }
    }
}
