//! The limits of every number of a scenario, and the line of the file that breaks one.

use super::file::Scenario;
use super::load::ScenarioError;
use super::step::Step;
use overlay_proto::config::{DEGREE_MAX, MEMBERS_MAX, TREES_MAX};
use toml::Spanned;

/// Most peers of a world. Link and host numbers are 32 bits; memory ends long before.
const PEERS_MAX: usize = 10_000_000;

impl Scenario {
    /// Whether every number is within its limits.
    pub fn is_playable(&self) -> bool {
        self.check().is_ok()
    }

    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        let p = &self.population;
        self.demand("peers", (2..=PEERS_MAX).contains(&p.peers), "must be 2 to 10,000,000")?;
        let supernodes = (1..=MEMBERS_MAX).contains(&p.supernodes);
        self.demand("supernodes", supernodes, "must be 1 to 4,096")?;
        let degree = (2..=DEGREE_MAX).contains(&p.degree);
        self.demand("degree", degree, "must be 2 to 16")?;
        self.demand("degree", p.degree < p.peers, "is more neighbours than there are peers")?;
        self.demand(
            "near",
            p.near < p.degree,
            "leaves no link out of the region: it must be less than the degree",
        )?;
        let trees = p.trees.is_none_or(|trees| (1..=TREES_MAX).contains(&trees));
        self.demand("trees", trees, "must be 1 to 32")?;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let natural = |value: f64| value.is_finite() && value >= 0.0;
        let arrive = p.arrive_over_secs.is_none_or(natural);
        self.demand("arrive_over_secs", arrive, "must not be negative")?;
        let n = &self.network;
        self.demand("mean_rtt_ms", positive(n.mean_rtt_ms), "must be above zero")?;
        self.demand("cities", n.cities > 0, "must be above zero")?;
        self.demand("access_ms", natural(n.access_ms), "must not be negative")?;
        self.demand("dial_timeout_secs", positive(n.dial_timeout_secs), "must be above zero")?;
        self.demand("link_mbit", positive(n.link_mbit), "must be above zero")?;
        self.demand("disk_ms", natural(n.disk_ms), "must not be negative")?;
        let s = &self.supernode;
        for (key, micros) in [
            ("frame_us", s.frame_us),
            ("check_us", s.check_us),
            ("sign_us", s.sign_us),
            ("link_us", s.link_us),
            ("login_ramp_secs", s.login_ramp_secs),
        ] {
            self.demand(key, natural(micros), "must not be negative")?;
        }
        self.demand("logins_per_second", s.logins_per_second > 0, "must be above zero")?;
        let bar = (0.0..=1.0).contains(&self.bars.delivered_before_repair);
        self.demand("delivered_before_repair", bar, "must be 0 to 1")?;
        self.step.iter().try_for_each(|step| self.check_step(step))
    }

    fn check_step(&self, step: &Spanned<Step>) -> Result<(), ScenarioError> {
        let from = step.span().start;
        let checked = step.get_ref().check();
        checked.or_else(|(key, reason)| self.demand_from(from, key, false, reason))
    }

    fn demand(&self, key: &'static str, holds: bool, reason: &str) -> Result<(), ScenarioError> {
        self.demand_from(0, key, holds, reason)
    }

    /// As [`Scenario::demand`], for a key that stands behind the byte `from` of the file.
    fn demand_from(
        &self,
        from: usize,
        key: &'static str,
        holds: bool,
        reason: &str,
    ) -> Result<(), ScenarioError> {
        if holds {
            return Ok(());
        }
        let text = &self.source.text;
        let (before, behind) = text.split_at_checked(from).unwrap_or((text, ""));
        let names_it = |line: &str| {
            let code = line.split('#').next().unwrap_or(line);
            code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key)
        };
        let further = behind.lines().position(names_it).unwrap_or(0);
        let line = 1 + before.matches('\n').count() + further;
        let (file, reason) = (self.source.file.clone(), format!("{key} {reason}"));
        Err(ScenarioError::Invalid { file, line, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Change;

    const GOOD: &str = "name = 'x'\n[population]\npeers = 10\nsupernodes = 2\n";
    const SETTLE: &str = "[[step]]\nsettle = { limit_secs = 3 }\n";
    const BAD_SETTLE: &str = "[[step]]\nsettle = { limit_secs = -3 }\n";

    fn error(text: &str) -> String {
        let error = Scenario::parse("x.toml", text, &Change::default()).expect_err("invalid");
        error.to_string()
    }

    #[test]
    fn errors_name_file_line_and_reason() {
        assert!(Scenario::parse("x.toml", GOOD, &Change::default()).is_ok());
        let cases = [
            (GOOD.replace("peers", "pears"), "x.toml, line 3: unknown field `pears`"),
            (GOOD.replace("10", "'ten'"), "x.toml, line 3: invalid type: string"),
            (GOOD.replace("10", "-10"), "x.toml, line 3: invalid value: integer `-10`"),
            (GOOD.replace("= 10", "= 5"), "x.toml, line 1: degree is more neighbours"),
            (format!("{GOOD}degree = 17\n"), "x.toml, line 5: degree must be 2 to 16"),
            (format!("{GOOD}[network]\nlink_mbit = -1\n"), "x.toml, line 6: link_mbit must be"),
            (
                format!("{GOOD}[[step]]\nsettle = {{ limit = 3 }}\n"),
                "x.toml, line 6: unexpected keys in table: limit",
            ),
            (format!("{GOOD}[[step]]\ndance = {{}}\n"), "x.toml, line 6: unknown variant `dance`"),
            (format!("{GOOD}{SETTLE}{BAD_SETTLE}"), "x.toml, line 8: limit_secs must not be"),
            ("name = ".into(), "x.toml, line 1: "),
        ];
        for (text, expected) in cases {
            let error = error(&text);
            assert!(error.starts_with(expected), "{error}\nnot: {expected}");
        }
    }
}
