//! From a registrar's answer to a device that can log in.

use super::Peer;
use crate::context::Context;
use crate::identity::{Certificate, DeviceChain, Role, Validity};
use crate::io::Reply;
use crate::name::Name;
use crate::status::Status;
use crate::wire::message::UserCertificates;
use std::sync::Arc;

impl Peer {
    /// Certifies this device with the user's key and checks the whole chain as others will.
    pub(super) fn take_certificates(
        &mut self,
        cx: &mut Context,
        name: &Name,
        given: UserCertificates,
    ) -> Result<Reply, Status> {
        let Some(user) = cx.identity.user.clone() else { return Err(Status::WRONG_ROLE) };
        let validity = Validity::starting(cx.wall(), cx.config.certificate_life);
        let device = Certificate::issue(
            &user.key,
            cx.identity.realm,
            Role::Device,
            cx.me.0,
            None,
            cx.wall().0,
            validity,
        );
        let chain = Arc::new(DeviceChain { registrar: given.registrar, user: given.user, device });
        let member = chain
            .check(cx.verifier(), cx.identity.realm, cx.me, cx.wall())
            .map_err(|error| error.status())?;
        if member.name != *name || member.user != user.public() {
            return Err(Status::UNPROVEN);
        }
        let identity = Arc::make_mut(&mut cx.identity);
        if let Some(user) = &mut identity.user {
            user.chain = Some(chain.clone());
        }
        Ok(Reply::Registered { chain })
    }
}
