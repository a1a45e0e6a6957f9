//! A storm of log-ins on real processes: every supernode dies and starts again, and all peers come
//! at once (catalogue 14; Skype, August 2007).

use super::population::{Births, Population, Resident};
use super::progress::Show;
use crate::measure::{Moment, Series};
use crate::report::Figures;
use overlay_proto::time::Time;
use overlay_proto::view::CountersView;
use overlay_supernode::api::SupernodeStatus;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks at the supernodes. Asking costs them time as well.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest wait until everybody is logged in again.
const PATIENCE: Duration = Duration::from_secs(600);

/// What was seen of a storm.
#[derive(Debug, Default)]
pub(super) struct Storm {
    /// Moments since all supernodes were started again.
    pub series: Series,
    /// What should not be, and at which node.
    pub wrong: Vec<(String, String)>,
    /// Log-ins asked for, and by about how many, in the last minute or two.
    recent: (u64, u64),
}

impl Storm {
    /// Kills all supernodes, starts them again and watches until everybody is logged in.
    pub async fn blow(population: &mut Population, births: &Births<'_>, show: &dyn Show) -> Storm {
        let mut storm = Storm::default();
        let supernodes = &mut population.supernodes;
        let mut ports = Vec::new();
        for supernode in supernodes.iter() {
            match port(supernode).await {
                Some(port) => ports.push(port),
                None => storm.find(supernode, "does not say where it listens"),
            }
        }
        supernodes.iter().for_each(|supernode| supernode.process.kill());
        for supernode in supernodes.iter() {
            supernode.process.ended().await;
        }
        if let Err(error) = births.again(supernodes, &ports).await {
            storm.wrong.push((error.concerned().to_owned(), error.to_string()));
            return storm;
        }
        storm.watch(population, show).await;
        storm
    }

    fn find(&mut self, at: &Resident, what: &str) {
        self.wrong.push((at.name.clone(), what.to_owned()));
    }

    async fn watch(&mut self, population: &Population, show: &dyn Show) {
        let (began, here) = (Instant::now(), population.peers.len());
        loop {
            let moment = self.look(population, began).await;
            show.at(moment.on_line.min(here), "");
            self.series.keep(moment);
            for supernode in &population.supernodes {
                if let Some(status) = supernode.process.exit() {
                    self.find(supernode, &format!("ended under the load with {status}"));
                    return;
                }
            }
            if moment.on_line >= here {
                return;
            }
            if began.elapsed() > PATIENCE {
                let missing = format!("{} peers are not logged in again", here - moment.on_line);
                self.find(&population.supernodes[0], &missing);
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks every supernode. One that is too busy to answer counts with nothing, in this moment.
    async fn look(&mut self, population: &Population, began: Instant) -> Moment {
        let mut moment = Moment { here: population.peers.len(), ..Moment::default() };
        self.recent = (0, 0);
        for supernode in &population.supernodes {
            let status: Result<SupernodeStatus, _> = supernode.client.get("/v1/status").await;
            let Ok(status) = status else { continue };
            let counters = &status.supernode.counters;
            moment.supernodes += 1;
            moment.on_line += status.supernode.children;
            moment.asked += counters.logins_tried + counters.logins_challenged;
            moment.refused += put_off(counters);
            moment.logins += counters.logins_admitted;
            self.recent.0 += counters.recent_attempts;
            self.recent.1 += counters.recent_clients;
        }
        moment.at = Time(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        moment
    }

    /// Puts what came of it among the figures.
    pub fn count(&self, figures: &mut Figures) {
        let moments = self.series.moments();
        let since = |share: f64| {
            let is_in = |moment: &&Moment| moment.on_line as f64 >= share * moment.here as f64;
            moments.iter().find(is_in).map(Moment::secs)
        };
        figures.storm_secs_to_50 = since(0.5);
        figures.storm_secs_to_99 = since(0.99);
        figures.storm_secs_to_100 = since(1.0);
        let rates = moments.windows(2).map(|pair| {
            let secs = (pair[1].secs() - pair[0].secs()).max(1e-6);
            pair[1].logins.saturating_sub(pair[0].logins) as f64 / secs
        });
        figures.storm_logins_per_second_peak = rates.reduce(f64::max);
        figures.storm_refused = moments.last().map(|moment| moment.refused);
        let (attempts, clients) = self.recent;
        figures.storm_attempts_per_client = (clients > 0).then(|| attempts as f64 / clients as f64);
        let lost = self.wrong.iter().filter(|(_, what)| what.starts_with("ended")).count();
        figures.storm_supernodes_lost = Some(lost as u64);
    }
}

/// Log-ins that were not taken in.
fn put_off(counters: &CountersView) -> u64 {
    let refused = counters.logins_refused.iter().map(|refusal| refusal.count).sum::<u64>();
    counters.logins_redirected + refused
}

/// The port at which a supernode listens.
async fn port(supernode: &Resident) -> Option<u16> {
    let status: SupernodeStatus = supernode.client.get("/v1/status").await.ok()?;
    // /ip4/ADDRESS/tcp/PORT
    status.addresses.first()?.split('/').nth(4)?.parse().ok()
}
