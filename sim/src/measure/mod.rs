//! What a run shows beyond what its peers tell: walks over the network as it stands, counts of what
//! joins and leaves have cost, and figures over time. Measuring never moves the world.

pub mod changes;
pub mod noticed;
pub mod regions;
pub mod series;
pub mod topology;
pub mod upkeep;
pub mod walk;

pub use changes::Changes;
pub use noticed::Noticed;
pub use series::{Moment, Series};
pub use topology::Topology;
pub use walk::{Ground, Survey};

use overlay_proto::time::Time;

/// What is drawn of a run.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Counts over time.
    pub series: Series,
    /// When the script began a storm of log-ins, if it did.
    pub storm: Option<Time>,
    /// Walks over the network at the end; `None` if the run did not get there.
    pub survey: Option<Survey>,
    /// The graph at the end, if it is small enough to be drawn.
    pub topology: Option<Topology>,
}
