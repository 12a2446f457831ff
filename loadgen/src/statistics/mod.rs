//! Statistics for figures that differ from run to run.
//!
//! Two programs are compared by the ratios of pairs of runs, made directly one after the other, so
//! that disturbances of the machine affect both runs of a pair alike. The median of the ratios is
//! the change, and a bootstrap (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993,
//! chapter 13: percentile intervals) gives the interval that contains it in 95 of 100 sittings. The
//! noise, the variation of the *same* program, is measured in the same sitting by the ratios of
//! equally close runs, A-A. A change that is no larger than the noise proves nothing.

mod bootstrap;
mod judge;
mod median;

pub(crate) use bootstrap::{Estimate, PAIRS_MIN, of_medians, of_values};
pub(crate) use judge::{Change, Verdict, noise};
pub(crate) use median::{median, spread};
