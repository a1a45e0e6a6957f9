//! Where a peer stands: labels in `T` spanning trees, issued and signed by its home.

pub mod issuers;
pub mod label;
pub mod labels;
pub mod record;

pub use issuers::Issuers;
pub use label::{Epoch, Label};
pub use labels::{LabelChanges, Labels};
pub use record::{Coordinates, CoordinatesError};
