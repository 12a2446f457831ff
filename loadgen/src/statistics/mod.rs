//! What can be said of figures that differ from run to run.
//!
//! Two programs are compared by the ratios of pairs of runs, made one directly after the other: what
//! the machine does meanwhile hits both runs of a pair alike. The median of the ratios stands for
//! the change, and a bootstrap (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993,
//! chapter 13: percentile intervals) says between which bounds it lies in 95 of 100 sittings. How
//! much the machine changes what the *same* program gives is measured in the same sitting, by the
//! ratios of runs of it that are as near, A-A; a change that is no larger says nothing.

mod bootstrap;
mod judge;
mod median;

pub(crate) use bootstrap::{Estimate, PAIRS_MIN, of_medians, of_values};
pub(crate) use judge::{Change, Verdict, noise};
pub(crate) use median::{median, spread};
