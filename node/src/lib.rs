//! overlay-node
