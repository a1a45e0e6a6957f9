//! What a run shows beyond what its peers tell: walks over the network as it stands, counts of what
//! joins and leaves have cost, and figures over time. Measuring never moves the world.

pub mod noticed;
pub mod walk;

pub use noticed::Noticed;
pub use walk::{Ground, Survey};
