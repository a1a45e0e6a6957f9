//! How long a byte is under way between two hosts.

use overlay_proto::time::Span;
use rand::{Rng, RngExt};

/// The shape of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// The same for every pair, one way.
    Constant(Span),
    /// Clustered cities on a plane, each host with an access delay of its own.
    Plane {
        /// Mean round-trip time of two random hosts.
        mean_rtt: Span,
        /// Cities that hosts live in.
        cities: usize,
        /// Median access delay of a host, part of every round trip from or to it.
        access: Span,
    },
}

/// Where each host is: index by index, drawn once.
#[derive(Debug)]
pub struct Places {
    latency: Latency,
    places: Vec<Place>,
    cities: Vec<(f64, f64)>,
    /// Microseconds of round trip for each unit of distance.
    micros_per_unit: f64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
    access_micros: u64,
}

/// Spread of a city's hosts, with the plane being one unit wide.
const CITY_RADIUS: f64 = 0.01;
/// Continents that cities gather around.
const CONTINENTS: usize = 6;
/// Spread of a continent's cities.
const CONTINENT_RADIUS: f64 = 0.12;
/// Sigma of the log-normal access delay: one host in six has more than twice the median.
const ACCESS_SIGMA: f64 = 0.7;
/// Longest access delay, in medians: a tail that real access lines do not have is cut off.
const ACCESS_MEDIANS_MAX: f64 = 20.0;
/// Random pairs by which the plane is scaled to the wanted mean.
const SCALE_PAIRS: usize = 20_000;
/// The shortest way there is: two processes of one city. Nothing arrives when it leaves.
const ONE_WAY_MIN: Span = Span::micros(50);

impl Places {
    /// A network of this shape, without hosts yet.
    pub fn new(latency: Latency, rng: &mut impl Rng) -> Places {
        let mut places =
            Places { latency, places: Vec::new(), cities: Vec::new(), micros_per_unit: 0.0 };
        if let Latency::Plane { mean_rtt, cities, access } = latency {
            let continents: Vec<(f64, f64)> =
                (0..CONTINENTS).map(|_| (rng.random(), rng.random())).collect();
            places.cities = (0..cities.max(1))
                .map(|_| near(continents[rng.random_range(0..CONTINENTS)], CONTINENT_RADIUS, rng))
                .collect();
            places.scale(mean_rtt, access, rng);
        }
        places
    }

    /// Sets the scale so that random pairs have the wanted mean.
    fn scale(&mut self, mean_rtt: Span, access: Span, rng: &mut impl Rng) {
        let (mut distance, mut access_micros) = (0.0, 0.0);
        for _ in 0..SCALE_PAIRS {
            let (a, b) = (self.draw(access, rng), self.draw(access, rng));
            distance += between(a, b);
            access_micros += (a.access_micros + b.access_micros) as f64;
        }
        let wanted = mean_rtt.0 as f64 * SCALE_PAIRS as f64 - access_micros;
        self.micros_per_unit = (wanted / distance.max(f64::MIN_POSITIVE)).max(0.0);
    }

    /// Places one more host, in a random city, and returns its index.
    pub fn add(&mut self, rng: &mut impl Rng) -> u32 {
        let place = match self.latency {
            Latency::Constant(_) => Place { x: 0.0, y: 0.0, access_micros: 0 },
            Latency::Plane { access, .. } => self.draw(access, rng),
        };
        self.places.push(place);
        self.places.len() as u32 - 1
    }

    /// Places one more host exactly where `host` is: another process of the same machine.
    pub fn add_beside(&mut self, host: u32) -> u32 {
        self.places.push(self.places[host as usize]);
        self.places.len() as u32 - 1
    }

    /// The time from host `a` to host `b`, one way; the same as from `b` to `a`.
    pub fn one_way(&self, a: u32, b: u32) -> Span {
        if let Latency::Constant(one_way) = self.latency {
            return one_way.max(ONE_WAY_MIN);
        }
        let (a, b) = (self.places[a as usize], self.places[b as usize]);
        let distance = (between(a, b) * self.micros_per_unit) as u64;
        Span((distance + a.access_micros + b.access_micros) / 2).max(ONE_WAY_MIN)
    }

    fn draw(&self, access: Span, rng: &mut impl Rng) -> Place {
        let (x, y) = near(self.cities[rng.random_range(0..self.cities.len())], CITY_RADIUS, rng);
        let factor = (ACCESS_SIGMA * normal(rng)).exp().min(ACCESS_MEDIANS_MAX);
        Place { x, y, access_micros: (access.0 as f64 * factor) as u64 }
    }
}

fn between(a: Place, b: Place) -> f64 {
    ((a.x - b.x).powi(2) + (a.y - b.y).powi(2)).sqrt()
}

fn near((x, y): (f64, f64), radius: f64, rng: &mut impl Rng) -> (f64, f64) {
    (x + radius * normal(rng), y + radius * normal(rng))
}

/// A draw from the standard normal distribution (Box and Muller).
fn normal(rng: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const PLANE: Latency =
        Latency::Plane { mean_rtt: Span::millis(100), cities: 60, access: Span::millis(6) };

    fn places(latency: Latency, seed: u64) -> Places {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut places = Places::new(latency, &mut rng);
        (0..400).for_each(|_| _ = places.add(&mut rng));
        places
    }

    #[test]
    fn there_takes_as_long_as_back_and_every_seed_has_a_world_of_its_own() {
        let (one, same, other) = (places(PLANE, 1), places(PLANE, 1), places(PLANE, 2));
        let all =
            |places: &Places| -> Vec<Span> { (0..399).map(|a| places.one_way(a, a + 1)).collect() };
        assert!((0..399).all(|a| one.one_way(a, a + 1) == one.one_way(a + 1, a)));
        assert_eq!(all(&one), all(&same));
        assert_ne!(all(&one), all(&other));
    }

    #[test]
    fn the_mean_is_as_wanted_and_cities_are_near() {
        for seed in 0..5 {
            let places = places(PLANE, seed);
            let pairs = (0..400).flat_map(|a| (0..a).map(move |b| (a, b)));
            let rtts: Vec<u64> = pairs.map(|(a, b)| 2 * places.one_way(a, b).0).collect();
            let mean = rtts.iter().sum::<u64>() / rtts.len() as u64;
            assert!((80_000..120_000).contains(&mean), "{mean} us");
            assert!(rtts.iter().filter(|rtt| **rtt < 30_000).count() > rtts.len() / 200);
        }
    }

    #[test]
    fn constant_is_constant() {
        let places = places(Latency::Constant(Span::millis(20)), 1);
        assert!((0..399).all(|a| places.one_way(a, a + 1) == Span::millis(20)));
    }
}
