//! Whether the machine was quiet during a measurement: what else ran before and meanwhile, and what
//! the host of a virtual machine took away.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::figure::metric::Metric;

/// Before a sitting: limit of the share of the last ten seconds in which a thread waited for a
/// core,
const PRESSURE_MAX: f64 = 0.01;
/// and of the average number of threads that ran or waited for a core in the last minute.
const LOAD_MAX: f64 = 0.5;
/// During a measurement: limit of the processor time of other programs, or stolen by the host,
/// relative to the time of all cores.
const SHARE_MAX: f64 = 0.02;
/// The same limit for figures about the slowest hundredth of all times, which are affected much
/// sooner.
const TAIL_SHARE_MAX: f64 = 0.005;

/// The machine just before a sitting. A field is absent if the system does not report it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Before {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pressure: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<f64>,
}

/// The use of the cores by others during a measurement, as shares of the time of all cores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Disturbance {
    /// Programs other than loadgen and those that it started.
    pub(crate) others: f64,
    /// The host of this virtual machine.
    pub(crate) stolen: f64,
}

/// Processor time since the machine and this program started, in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    all: u64,
    busy: u64,
    stolen: u64,
    own: u64,
}

impl Before {
    pub(crate) fn detect() -> Before {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Before {
            pressure: pressure_in(&read("/proc/pressure/cpu")),
            load: read("/proc/loadavg").split_whitespace().next().and_then(|n| n.parse().ok()),
        }
    }

    /// Returns what is wrong; `None` on a quiet machine.
    pub(crate) fn complaint(&self) -> Option<String> {
        let mut complaints = Vec::new();
        if let Some(pressure) = self.pressure.filter(|pressure| *pressure >= PRESSURE_MAX) {
            complaints.push(format!(
                "threads waited for a core in {:.0} % of the last ten seconds",
                pressure * 100.0
            ));
        }
        if let Some(load) = self.load.filter(|load| *load >= LOAD_MAX) {
            complaints.push(format!("the load of the last minute was {load:.2}"));
        }
        (!complaints.is_empty()).then(|| complaints.join(", "))
    }
}

impl Disturbance {
    /// Whether the disturbance is small enough for such a figure.
    pub(crate) fn is_quiet_for(&self, figure: Metric) -> bool {
        let limit = match figure {
            Metric::P99 => TAIL_SHARE_MAX,
            _ => SHARE_MAX,
        };
        self.others < limit && self.stolen < limit
    }

    /// `others had 5.1 %, the host 0.2 % of the processor time`.
    pub(crate) fn text(&self) -> String {
        let (others, stolen) = (self.others * 100.0, self.stolen * 100.0);
        format!("other programs had {others:.1} %, the host {stolen:.1} % of the processor time")
    }

    /// Returns the worst of the disturbances that were too large for their figures.
    pub(crate) fn worst_of(
        all: impl IntoIterator<Item = (Option<Disturbance>, Metric)>,
    ) -> Option<Disturbance> {
        let loud = |(one, figure): (Option<Disturbance>, Metric)| {
            one.filter(|disturbance| !disturbance.is_quiet_for(figure))
        };
        Disturbance::worst(all.into_iter().filter_map(loud))
    }

    /// Returns the maximum of several disturbances in each respect.
    pub(crate) fn worst(all: impl IntoIterator<Item = Disturbance>) -> Option<Disturbance> {
        all.into_iter().reduce(|a, b| Disturbance {
            others: a.others.max(b.others),
            stolen: a.stolen.max(b.stolen),
        })
    }
}

/// Follows the name of a row that was measured while the machine was not quiet.
pub(crate) const MARK: &str = " !";

/// [`MARK`] or nothing.
pub(crate) fn mark(disturbance: Option<Disturbance>, figure: Metric) -> &'static str {
    match disturbance.is_none_or(|disturbance| disturbance.is_quiet_for(figure)) {
        true => "",
        false => MARK,
    }
}

impl Meter {
    /// Reads the counters; `None` where the system has none.
    pub(crate) fn read() -> Option<Meter> {
        let own = own_ticks(&fs::read_to_string("/proc/self/stat").ok()?)?;
        Some(Meter { own, ..machine_ticks(&fs::read_to_string("/proc/stat").ok()?)? })
    }

    /// Returns what happened since; `None` if no tick has passed.
    pub(crate) fn since(self) -> Option<Disturbance> {
        let now = Meter::read()?;
        let all = now.all.checked_sub(self.all).filter(|all| *all > 0)? as f64;
        let own = now.own.saturating_sub(self.own);
        let others = now.busy.saturating_sub(self.busy).saturating_sub(own) as f64;
        let stolen = now.stolen.saturating_sub(self.stolen) as f64;
        Some(Disturbance { others: others / all, stolen: stolen / all })
    }
}

/// `some avg10=0.52 avg60=…`, in percent.
fn pressure_in(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    let value = line.split_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
    Some(value.parse::<f64>().ok()? / 100.0)
}

/// Parses the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn machine_ticks(text: &str) -> Option<Meter> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, idle, waiting, interrupts, soft, rest @ ..] = &ticks[..] else {
        return None;
    };
    let stolen = rest.first().copied().unwrap_or(0);
    let busy = user + nice + system + interrupts + soft;
    Some(Meter { all: busy + idle + waiting + stolen, busy, stolen, own: 0 })
}

/// Returns the user and system time of this program, and of the programs that it started and waited
/// for.
fn own_ticks(stat: &str) -> Option<u64> {
    // These are the 12th to 15th field after the name, which may contain any characters.
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    (ticks.len() == 4).then(|| ticks.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_read() {
        let pressure = "some avg10=1.50 avg60=9.00 avg300=0.1 total=1\nfull avg10=0.00\n";
        assert_eq!(pressure_in(pressure), Some(0.015));
        assert_eq!(pressure_in(""), None);
        let meter = machine_ticks("cpu  10 1 4 80 2 1 1 5 0 0\ncpu0 1 1\n").unwrap();
        assert_eq!((meter.all, meter.busy, meter.stolen), (104, 17, 5));
        assert!(machine_ticks("cpu  10 1 4").is_none());
        assert_eq!(own_ticks("7 (a) b) S 1 1 1 0 -1 4 5 6 7 8 100 20 3 4 20 0"), Some(127));
        assert_eq!(own_ticks("7 (a) S 1"), None);
    }

    #[test]
    fn a_busy_machine_is_complained_of() {
        assert_eq!(Before { pressure: Some(0.009), load: Some(0.49) }.complaint(), None);
        assert_eq!(Before::default().complaint(), None);
        let busy = Before { pressure: Some(0.3), load: Some(2.0) }.complaint().unwrap();
        assert!(busy.contains("30 %") && busy.contains("2.00"), "{busy}");
        let others = |others| Disturbance { others, stolen: 0.0 };
        assert!(others(0.019).is_quiet_for(Metric::Rate));
        assert!(!Disturbance { others: 0.0, stolen: 0.02 }.is_quiet_for(Metric::Rate));
        assert!(
            others(0.004).is_quiet_for(Metric::P99) && !others(0.005).is_quiet_for(Metric::P99)
        );
        let all = [(Some(others(0.01)), Metric::Rate), (Some(others(0.007)), Metric::P99)];
        assert_eq!(Disturbance::worst_of(all), Some(others(0.007)));
        assert_eq!(Disturbance::worst_of([(None, Metric::P99)]), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_others_do_is_not_ones_own() {
        let meter = Meter::read().unwrap();
        let started = std::time::Instant::now();
        while started.elapsed().as_millis() < 200 {
            std::hint::spin_loop();
        }
        let found = meter.since().unwrap();
        assert!((0.0..=1.0).contains(&found.others) && (0.0..=1.0).contains(&found.stolen));
    }
}
