//! What a run has shown, for machines and for people.

pub mod chart;
pub mod curve;
pub mod figures;
pub mod moore;
pub mod page;
pub mod process;
pub mod sample;
pub mod table;

pub use figures::Figures;
pub use sample::Sample;
