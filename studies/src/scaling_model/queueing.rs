//! A model of how cores delay each other at a few words that all of them write.
//!
//! A core works on its own for a while and then needs a word; if another core has the word, it
//! waits. That is a closed network of queues with as many customers as cores, one server per word,
//! and a think time in which no core waits for another. Exact mean value analysis (Reiser and
//! Lavenberg 1980) gives its rate.

/// A word, or a thread, that serves one core at a time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Station {
    pub(super) name: &'static str,
    /// Time at the station per operation, in ns.
    pub(super) demand_ns: f64,
}

/// The cost of one operation: for a core alone, and at the stations that it shares with others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    /// Time per operation in which no core waits for another, in ns.
    pub(super) own_ns: f64,
    pub(super) stations: Vec<Station>,
}

impl Network {
    /// Returns the operations per second of `cores` cores together.
    pub(super) fn rate_per_s(&self, cores: usize) -> f64 {
        let mut queues = vec![0.0; self.stations.len()];
        let mut rate_per_ns = 0.0;
        for count in 1..=cores {
            let waits = |(station, queue): (&Station, &f64)| station.demand_ns * (1.0 + queue);
            let waits: Vec<f64> = self.stations.iter().zip(&queues).map(waits).collect();
            rate_per_ns = count as f64 / (self.own_ns + waits.iter().sum::<f64>());
            queues = waits.iter().map(|wait| rate_per_ns * wait).collect();
        }
        rate_per_ns * 1e9
    }

    /// Returns the station where the cores wait longest, and the number of cores from which they
    /// wait there: more cores wait more and achieve little more. Returns `None` if nothing is
    /// shared.
    pub(super) fn knee(&self) -> Option<(&Station, f64)> {
        let longest = |one: &&Station, other: &&Station| one.demand_ns.total_cmp(&other.demand_ns);
        let station = self.stations.iter().max_by(longest)?;
        let all_ns: f64 = self.stations.iter().map(|station| station.demand_ns).sum();
        (station.demand_ns > 0.0).then(|| (station, (self.own_ns + all_ns) / station.demand_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(own_ns: f64, demands: &[f64]) -> Network {
        let stations = demands.iter().map(|&demand_ns| Station { name: "word", demand_ns });
        Network { own_ns, stations: stations.collect() }
    }

    fn is_near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6 * other.abs()
    }

    #[test]
    fn one_core_waits_for_nobody() {
        assert!(is_near(network(900.0, &[60.0, 40.0]).rate_per_s(1), 1e6));
    }

    #[test]
    fn without_shared_words_every_core_adds_the_same() {
        let alone = network(500.0, &[]);
        assert!(is_near(alone.rate_per_s(256), 256.0 * alone.rate_per_s(1)));
        assert_eq!(alone.knee(), None);
    }

    #[test]
    fn the_longest_word_is_the_ceiling() {
        let shared = network(900.0, &[100.0, 50.0]);
        let rates: Vec<f64> = [1, 2, 8, 64, 256].map(|cores| shared.rate_per_s(cores)).to_vec();
        assert!(rates.is_sorted(), "{rates:?}");
        assert!(rates[3] < 1e7 && is_near(rates[4], 1e7), "{rates:?}");
        let (station, cores) = shared.knee().unwrap();
        assert!(is_near(station.demand_ns, 100.0) && is_near(cores, 10.5));
    }

    /// Two cores at one word and with no other work take turns, whatever method computes the rate.
    #[test]
    fn two_cores_at_one_word_take_turns() {
        assert!(is_near(network(0.0, &[100.0]).rate_per_s(2), 1e7));
        // By hand: the second core finds the first one at the word for 100 of 200 ns.
        assert!(is_near(network(100.0, &[100.0]).rate_per_s(2), 2e9 / 250.0));
    }
}
