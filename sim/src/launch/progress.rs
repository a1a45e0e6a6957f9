//! How far a run is, for whoever watches.

/// Shows a run while it goes on.
pub trait Show {
    /// A new phase of `of` steps begins; 0 if nobody knows how many there will be.
    fn phase(&self, name: &str, of: usize);
    /// So many steps of the phase are done.
    fn at(&self, done: usize, note: &str);
    /// The phase is over.
    fn over(&self, note: &str);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Show for Silent {
    fn phase(&self, _: &str, _: usize) {}
    fn at(&self, _: usize, _: &str) {}
    fn over(&self, _: &str) {}
}
