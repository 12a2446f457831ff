//! The median of several runs, and their spread.

/// Returns the middle value, or the mean of the two middle ones; `None` for no values.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    middle(&values)
}

/// The same for sorted values.
pub(super) fn middle(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.len() / 2;
    match sorted.len() % 2 {
        _ if sorted.is_empty() => None,
        1 => Some(sorted[upper]),
        _ => Some(f64::midpoint(sorted[upper - 1], sorted[upper])),
    }
}

/// Returns how far the lowest and the highest value are below and above the median, relative to it;
/// `None` for a single value or around zero.
pub(crate) fn spread(values: &[f64]) -> Option<(f64, f64)> {
    let median = median(values).filter(|median| *median > 0.0 && values.len() > 1)?;
    let low = values.iter().copied().fold(median, f64::min);
    let high = values.iter().copied().fold(median, f64::max);
    Some((1.0 - low / median, high / median - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_spread_reaches_from_the_lowest_to_the_highest() {
        assert_eq!(spread(&[100.0, 75.0, 150.0]), Some((0.25, 0.5)));
        assert_eq!(spread(&[100.0, 100.0]), Some((0.0, 0.0)));
        assert_eq!(spread(&[100.0]), None);
        assert_eq!(spread(&[0.0, 0.0]), None);
    }
}
