//! Where a peer stands: labels in `T` spanning trees, issued and signed by its home.

pub mod issuers;
pub mod label;
pub mod label_changes;
mod label_table;
pub mod labels;
pub mod link_cost;
pub mod record;

pub use issuers::{Issuer, Issuers};
pub use label::{Epoch, Label};
pub use label_changes::LabelChanges;
pub(crate) use label_table::LabelTable;
pub use labels::{Labels, LabelsRef};
pub use link_cost::{HOP, LinkCost};
pub use record::{Coordinates, CoordinatesError};
