//! How far the cores of this machine are from each other: what a cache line takes on its way.
//!
//! The host of a virtual machine places its cores anew from time to time, side by side or on
//! different sockets, and rates of programs that talk across cores go up and down with that, not all
//! alike. So a comparison says how the cores lay.

use std::thread;

use loadgen_shared::cores::line_ns;

use crate::figure::quantity;

/// Above that the cores are far from each other. On the machines that this was tried on a line took
/// 26 ns or about 150, and nothing between.
const FAR_NS: f64 = 60.0;

/// Where the first two cores lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Placement {
    /// There is one core.
    Alone,
    Near(f64),
    Far(f64),
}

impl Placement {
    /// Measures for some ten milliseconds.
    pub(crate) fn measure() -> Placement {
        match thread::available_parallelism().map_or(1, usize::from) {
            1 => Placement::Alone,
            _ => Placement::of(line_ns()),
        }
    }

    fn of(ns: f64) -> Placement {
        match ns > FAR_NS {
            true => Placement::Far(ns),
            false => Placement::Near(ns),
        }
    }

    pub(crate) fn is_far(self) -> bool {
        matches!(self, Placement::Far(_))
    }

    pub(crate) fn text(self) -> String {
        let text = |name: &str, ns: f64| {
            let time = quantity::time(ns / 1000.0);
            format!("{name}: a cache line takes {time} from one core to the other")
        };
        match self {
            Placement::Alone => "one core".to_owned(),
            Placement::Near(ns) => text("near", ns),
            Placement::Far(ns) => text("far", ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far_are_told_apart() {
        assert!(Placement::of(150.0).is_far() && !Placement::of(26.0).is_far());
        let far = Placement::of(152.0).text();
        assert_eq!(far, "far: a cache line takes 152 ns from one core to the other");
    }
}
