//! How far the cores of this machine are from each other, measured by the time that a cache line
//! takes.
//!
//! The host of a virtual machine moves its cores from time to time, next to each other or to
//! different sockets. The rates of programs that communicate across cores change with that, but not
//! all equally. So a comparison reports the distance.

use std::thread;

use loadgen_shared::cores::line_ns;

use crate::figure::quantity;

/// Above this time, cores count as far from each other. On the machines where this was tried, a
/// line took 26 ns or about 150 ns, and nothing between.
const FAR_NS: f64 = 60.0;

/// The distance between the first two cores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Placement {
    /// There is only one core.
    Alone,
    Near(f64),
    Far(f64),
}

impl Placement {
    /// Measures for about ten milliseconds.
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
