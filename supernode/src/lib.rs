//! overlay-supernode
