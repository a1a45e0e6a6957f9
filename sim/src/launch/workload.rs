//! What users ask of the network: look-ups and messages.

use super::plan::Errand;
use super::population::{Population, Resident};
use super::progress::Show;
use futures::{StreamExt, stream};
use overlay_node::api::{Located, SendRequest, Sent};
use std::cell::Cell;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Requests under way at a time: enough for a network of this size on a machine with few cores.
const IN_FLIGHT: usize = 8;

/// During repair, one message in so many goes out at once with the others of its kind.
const BURST_OF: usize = 3;
/// The rest follow one by one at this distance, over the seconds in which the scaffold repairs.
const RHYTHM: Duration = Duration::from_millis(50);

/// When messages go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they are taken.
    AtOnce,
    /// A part at once, for the moment after the crash, and the rest one by one.
    Spread,
}

impl Pace {
    fn wait(self, number: usize, of: usize) -> Duration {
        match self {
            Pace::AtOnce => Duration::ZERO,
            Pace::Spread => {
                RHYTHM * u32::try_from(number.saturating_sub(of / BURST_OF)).unwrap_or(0)
            }
        }
    }
}

/// What a sender was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The recipient has it.
    Delivered(Sent),
    /// It did not work, and why.
    Failed(String),
}

impl Told {
    /// What is known of a message that was delivered.
    pub fn delivered(&self) -> Option<&Sent> {
        match self {
            Told::Delivered(sent) => Some(sent),
            Told::Failed(_) => None,
        }
    }

    /// Whether it was delivered at the first try and not over the scaffold.
    pub fn is_straight(&self) -> bool {
        self.delivered().is_some_and(|sent| sent.tries == 1 && !sent.escalated)
    }
}

/// Sends all messages, each from its sender's control socket, and waits for every answer. The
/// answers are in the order of the errands.
pub async fn send_all(
    population: &Population,
    errands: &[Errand],
    pace: Pace,
    show: &dyn Show,
) -> Vec<Told> {
    let began = Instant::now();
    let done = Cell::new(0);
    let peers = &population.peers;
    stream::iter(errands.iter().enumerate())
        .map(async |(number, errand)| {
            sleep_until(began + pace.wait(number, errands.len())).await;
            let request =
                SendRequest { to: peers[errand.to].name.clone(), text: errand.text.clone() };
            let answer = peers[errand.from].client.post::<Sent>("/v1/messages", &request).await;
            done.set(done.get() + 1);
            show.at(done.get(), "");
            match answer {
                Ok(sent) => Told::Delivered(sent),
                Err(error) => Told::Failed(error.to_string()),
            }
        })
        .buffered(IN_FLIGHT)
        .collect()
        .await
}

/// What came of looking users up.
#[derive(Debug, Default)]
pub struct LookedUp {
    /// Milliseconds of each answer that came from the network.
    pub ms: Vec<f64>,
    /// Wrong answers: who asked, and what is wrong.
    pub wrong: Vec<(String, String)>,
}

/// Looks users up, and compares the answers with the truth.
pub async fn look_up_all(
    population: &Population,
    pairs: &[(usize, usize)],
    show: &dyn Show,
) -> LookedUp {
    let done = Cell::new(0);
    let peers = &population.peers;
    let answers: Vec<Result<f64, (String, String)>> = stream::iter(pairs)
        .map(async |&(from, of)| {
            let answer = look_up(&peers[from], &peers[of]).await;
            done.set(done.get() + 1);
            show.at(done.get(), "");
            answer.map_err(|wrong| (peers[from].name.clone(), wrong))
        })
        .buffered(IN_FLIGHT)
        .collect()
        .await;
    let mut all = LookedUp::default();
    for answer in answers {
        match answer {
            Ok(ms) if ms > 0.0 => all.ms.push(ms),
            // It had heard of the user already.
            Ok(_) => {}
            Err(wrong) => all.wrong.push(wrong),
        }
    }
    all
}

async fn look_up(from: &Resident, of: &Resident) -> Result<f64, String> {
    let located: Located = from
        .client
        .get(&format!("/v1/users/{}", of.name))
        .await
        .map_err(|error| format!("look-up of {}: {error}", of.name))?;
    match located.devices.first() {
        Some(device) if device.online && device.node == of.node => Ok(located.ms),
        other => Err(format!("look-up of {}, which is {}: found {other:?}", of.name, of.node)),
    }
}
