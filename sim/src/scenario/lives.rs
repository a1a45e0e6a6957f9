//! How long processes run and users are away: drawn, or read from a trace.

use overlay_proto::time::Span;
use rand::{Rng, RngExt};

/// Mean lives that are walked through before the world begins, so that a process met by chance has
/// run for a while already.
const WARM_UP_LIVES: f64 = 20.0;

/// A Weibull distribution of spans.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weibull {
    mean: f64,
    scale: f64,
    shape: f64,
}

impl Weibull {
    /// With this mean, in seconds. `shape` 1 is the exponential distribution.
    pub(super) fn new(mean: f64, shape: f64) -> Weibull {
        Weibull { mean, scale: mean / gamma(1.0 + 1.0 / shape), shape }
    }

    /// A whole life.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> Span {
        Span((self.secs(rng) * 1e6) as u64)
    }

    /// What is left of a life that is met at a random time: of a long one more likely than of a
    /// short one.
    pub(super) fn rest(&self, rng: &mut impl Rng) -> Span {
        let mut left = -self.mean * WARM_UP_LIVES * (1.0 + rng.random::<f64>());
        while left <= 0.0 {
            left += self.secs(rng);
        }
        Span((left * 1e6) as u64)
    }

    fn secs(&self, rng: &mut impl Rng) -> f64 {
        // No life is shorter than a millisecond: nothing ends before it has begun.
        let unit: f64 = rng.random();
        (self.scale * (-(1.0 - unit).ln()).powf(1.0 / self.shape)).max(1e-3)
    }
}

/// The gamma function above 1, by Lanczos' approximation (g = 7, nine terms).
fn gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.5203681218851,
        -1259.1392167224028,
        771.3234287776531,
        -176.6150291621406,
        12.507343278686905,
        -0.13857109526572012,
        9.984369578019572e-6,
        1.5056327351493116e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.9999999999998099;
    for (index, term) in TERMS.iter().enumerate() {
        sum += term / (x + index as f64 + 1.0);
    }
    let t = x + 7.5;
    std::f64::consts::TAU.sqrt() * t.powf(x + 0.5) * (-t).exp() * sum
}

/// One line of a trace: after so long this user's process begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) after: Span,
    pub(super) user: usize,
    pub(super) up: bool,
}

/// Reads the lines of a trace; empty ones and those that begin with `#` say nothing. An error is
/// the line's number, from 1, and what is wrong with it.
pub(super) fn read_trace(text: &str, users: usize) -> Result<Vec<Turn>, (usize, String)> {
    let mut turns: Vec<Turn> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let turn = read_turn(line, users).map_err(|reason| (index + 1, reason))?;
        if turns.last().is_some_and(|last| last.after > turn.after) {
            return Err((index + 1, "goes back in time: sort the lines by seconds".into()));
        }
        turns.push(turn);
    }
    Ok(turns)
}

fn read_turn(line: &str, users: usize) -> Result<Turn, String> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [secs, user, what] = fields[..] else {
        return Err(format!("`{line}` is not of the form secs,user,up or secs,user,down"));
    };
    let secs: f64 = secs.parse().map_err(|_| format!("`{secs}` is no number of seconds"))?;
    if !(0.0..=1e9).contains(&secs) {
        return Err("seconds must be 0 to 1,000,000,000".into());
    }
    let number = user.strip_prefix('u').unwrap_or(user).parse().unwrap_or(0);
    if !(1..=users).contains(&number) {
        return Err(format!("there is no user `{user}`: users are 1 to {users}"));
    }
    let up = match what {
        "up" => true,
        "down" => false,
        _ => return Err(format!("`{what}` is neither `up` nor `down`")),
    };
    Ok(Turn { after: Span((secs * 1e6) as u64), user: number - 1, up })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const DRAWS: usize = 20_000;

    fn mean(mut draw: impl FnMut(&mut ChaCha8Rng) -> Span) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        (0..DRAWS).map(|_| draw(&mut rng).0 as f64 / 1e6).sum::<f64>() / DRAWS as f64
    }

    #[test]
    fn the_mean_is_as_asked_and_what_is_left_follows_from_the_spread() {
        assert!((gamma(5.0) - 24.0).abs() < 1e-9 && (gamma(1.5) - 0.886_226_925).abs() < 1e-8);
        for shape in [0.6, 1.0, 3.0] {
            let lives = Weibull::new(100.0, shape);
            let whole = mean(|rng| lives.draw(rng));
            assert!((95.0..105.0).contains(&whole), "shape {shape}: {whole}");
            // The mean rest is the second moment over twice the mean.
            let second = lives.scale.powi(2) * gamma(1.0 + 2.0 / shape);
            let rest = mean(|rng| lives.rest(rng)) / (second / 200.0);
            assert!((0.93..1.07).contains(&rest), "shape {shape}: {rest}");
        }
    }

    #[test]
    fn traces_are_read_and_errors_name_the_line() {
        let good = "# a trace\n0, 1, down\n\n2.5,u00003,down\n7,1,up\n";
        let turns = read_trace(good, 3).expect("valid");
        assert_eq!(turns[1], Turn { after: Span::millis(2_500), user: 2, up: false });
        assert_eq!((turns.len(), turns[2].up), (3, true));
        for (text, expected) in [
            ("0,1,down\n1,4,down", (2, "there is no user `4`")),
            ("1,1", (1, "`1,1` is not of the form")),
            ("x,1,up", (1, "`x` is no number")),
            ("-1,1,up", (1, "seconds must be")),
            ("5,1,down\n\n4,1,up", (3, "goes back in time")),
            ("1,1,sideways", (1, "`sideways` is neither")),
        ] {
            let (line, reason) = read_trace(text, 3).expect_err("invalid");
            assert!(line == expected.0 && reason.starts_with(expected.1), "{line}: {reason}");
        }
    }
}
