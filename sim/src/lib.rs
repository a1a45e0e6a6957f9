//! overlay-sim
