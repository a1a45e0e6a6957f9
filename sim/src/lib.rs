//! The simulator: virtual worlds in which the very same core runs, their scenarios, checks and
//! reports (DESIGN, section 10).

pub mod checks;
pub mod compare;
pub mod explore;
pub mod launch;
pub mod measure;
pub mod net;
pub mod report;
pub mod scenario;
pub mod sweep;
pub mod world;
