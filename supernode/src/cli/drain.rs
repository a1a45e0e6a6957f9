//! `supernode drain`: the peers go elsewhere, then the supernode ends.

use super::args::DrainArgs;
use super::show::not_running;
use crate::api::SupernodeStatus;
use indicatif::{ProgressBar, ProgressStyle};
use overlay_node::api::{Client, ClientError, Done};
use overlay_node::cli::{Failure, Output};
use overlay_node::data::Folder;
use overlay_proto::status::Status;
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it looks how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What `--json` says at the end.
#[derive(Debug, Serialize)]
struct Drained {
    /// Peers that have gone elsewhere.
    moved: usize,
    /// Seconds that it took.
    secs: f64,
}

pub(super) async fn drain(folder: &Folder, args: DrainArgs, out: &Output) -> Result<(), Failure> {
    let client = Client::new(folder.socket());
    let began = Instant::now();
    let all = peers(&client).await.map_err(not_running)?;
    let _: Done = client.post("/v1/drain", &()).await.map_err(not_running)?;
    // Drawn on a terminal only.
    let bar = ProgressBar::new(all as u64).with_style(
        ProgressStyle::with_template("{bar:30} {pos} of {len} peers have gone elsewhere")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let within = Duration::from_secs(args.within);
    while let Some(left) = still_here(&client).await? {
        bar.set_position(all.saturating_sub(left) as u64);
        if began.elapsed() >= within {
            bar.abandon();
            return Err(Failure::new(
                Status::TIMEOUT,
                format!("{left} of {all} peers are still here after {} s", args.within),
                "look with `supernode status` whether another supernode is up; it goes on draining, \
                 and Ctrl-C ends it all the same",
            ));
        }
        sleep(LOOK_EVERY).await;
    }
    bar.finish_and_clear();
    let drained = Drained { moved: all, secs: began.elapsed().as_secs_f64() };
    out.show(&drained, || {
        format!("{all} peers have gone elsewhere in {:.1} s; the supernode has ended", drained.secs)
    });
    Ok(())
}

async fn peers(client: &Client) -> Result<usize, ClientError> {
    let status: SupernodeStatus = client.get("/v1/status").await?;
    Ok(status.supernode.children)
}

/// The peers that are left; `None` once the supernode has ended.
async fn still_here(client: &Client) -> Result<Option<usize>, Failure> {
    match peers(client).await {
        Ok(left) => Ok(Some(left)),
        // The last answer may be cut off by the end itself.
        Err(ClientError::NotRunning { .. } | ClientError::Broken { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
