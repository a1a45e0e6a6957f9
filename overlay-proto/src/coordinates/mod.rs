//! Where a peer stands: labels in `T` spanning trees, issued and signed by its home.

pub mod label;
pub mod labels;
pub mod record;

pub use label::{Epoch, Label};
pub use labels::Labels;
pub use record::{Coordinates, CoordinatesError};
