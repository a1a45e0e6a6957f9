//! Whether a registration is looked at now, or its address has had its share: decided before any
//! signature is checked, as with log-ins.

use super::budgets::Budgets;
use super::gate::{ADDRESS_BURST, ADDRESS_PENALTY, ADDRESS_SHARE};
use crate::context::Context;
use crate::remote::Remote;
use crate::status::Status;
use crate::supernode::bucket::{Bucket, Rate};
use crate::time::Span;

/// Registrations a second without a look at addresses, on average and in a burst of two seconds:
/// what the store of one registrar commits on a slow disk, with room for its other work.
const RATE: Rate = Rate { per_second: 128, burst: 256 };
/// What one address gets of them while there is no more than half of a burst left.
const OF_ADDRESS: Rate = Rate {
    per_second: RATE.per_second / ADDRESS_SHARE,
    burst: ADDRESS_BURST * RATE.per_second / ADDRESS_SHARE,
};

/// What the decision needs. Its size does not depend on who asks.
#[derive(Debug)]
pub(crate) struct Registrations {
    bucket: Bucket,
    addresses: Budgets<Remote>,
}

impl Registrations {
    pub fn new(cx: &Context) -> Registrations {
        Registrations { bucket: Bucket::full(RATE, cx.now), addresses: Budgets::new(OF_ADDRESS) }
    }

    /// Lets a registration be looked at, and charges its address. Of this machine itself there is
    /// none.
    ///
    /// # Errors
    /// 429 for an address that has had its share while there is little.
    pub fn pass(&mut self, cx: &Context, remote: Option<Remote>) -> Result<(), Status> {
        self.bucket.fill(RATE, cx.now);
        let Some(remote) = remote else { return Ok(()) };
        let scarce = !self.bucket.has(i64::from(RATE.burst / 2));
        if scarce && self.addresses.wait(remote, cx.now) != Span::ZERO {
            return Err(Status::TOO_MANY);
        }
        self.bucket.take(RATE, 1);
        self.addresses.take(remote, 1, cx.now);
        Ok(())
    }

    /// A registration that was looked at has proved nothing.
    pub fn blame(&mut self, cx: &Context, remote: Option<Remote>) {
        if let Some(remote) = remote {
            self.addresses.take(remote, ADDRESS_PENALTY, cx.now);
        }
    }
}
