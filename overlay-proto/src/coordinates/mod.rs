//! Where a peer stands: labels in `T` spanning trees, issued and signed by its home.

pub mod issuers;
pub mod label;
pub mod labels;
pub mod link_cost;
pub mod record;

pub use issuers::Issuers;
pub use label::{Epoch, Label};
pub use labels::{LabelChanges, Labels};
pub use link_cost::{HOP, LinkCost};
pub use record::{Coordinates, CoordinatesError};
