//! overlay-tests
