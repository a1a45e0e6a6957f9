//! Location records: where a user's device is now, signed by the device, kept by supernodes.

use crate::address::TransportAddress;
use crate::config::{ADDRESSES_MAX, TREES_MAX};
use crate::coordinates::Labels;
use crate::encoding::positional::positional;
use crate::id::{IndexKey, NodeId, RealmId};
use crate::identity::verify::{Domain, Signature, Verify};
use crate::identity::{CertificateError, DeviceChain, Member, SecretKey};
use crate::name::Name;
use crate::status::Status;
use crate::time::WallTime;
use std::sync::Arc;

positional! {
    /// A device's own statement of where it is.
    pub struct LocationRecord {
        /// Who: the certificates down to the device.
        pub chain: Arc<DeviceChain>,
        /// Counts up with each record of the device: milliseconds since the epoch when signed. The
        /// newest wins.
        pub seq: u64,
        /// The supernode at which it is logged in.
        pub home: NodeId,
        /// Supernodes at which it would log in next.
        pub standbys: Vec<NodeId>,
        /// Where it can be dialled.
        pub addresses: Vec<TransportAddress>,
        /// Where it stands in the topology.
        pub labels: Labels,
        /// Seconds that the record holds from its arrival; zero when the device has logged out.
        pub lease_secs: u16,
        /// The device's signature over all fields above but the chain.
        pub signature: Signature,
    }
}

/// Why a location record is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The chain proves nothing.
    #[error("the record's certificates: {0}")]
    Chain(#[from] CertificateError),
    /// More entries than a record may have.
    #[error("the record names too many addresses, standbys or trees")]
    TooLarge,
    /// The signature is not the device's.
    #[error("the record's signature is wrong")]
    WrongSignature,
}

impl LocationError {
    /// The status code that tells a remote.
    pub fn status(self) -> Status {
        match self {
            LocationError::Chain(error) => error.status(),
            LocationError::TooLarge => Status::TOO_LARGE,
            LocationError::WrongSignature => Status::UNPROVEN,
        }
    }
}

impl LocationRecord {
    /// Signs the record with the device's key; its signature field is overwritten.
    #[must_use]
    pub fn signed(mut self, device: &SecretKey, verifier: &dyn Verify) -> LocationRecord {
        self.signature = device.sign_before(verifier, Domain::Location, &self.signed_bytes());
        self
    }

    /// The device, unchecked.
    pub fn node(&self) -> NodeId {
        NodeId(self.chain.device.subject.0)
    }

    /// Checks chain, sizes and signature.
    ///
    /// # Errors
    /// [`LocationError`].
    pub fn check(
        &self,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<Member, LocationError> {
        let fits = self.addresses.len() <= ADDRESSES_MAX
            && self.standbys.len() <= 4
            && self.labels.len() <= TREES_MAX;
        if !fits {
            return Err(LocationError::TooLarge);
        }
        let node = self.node();
        let member = self.chain.check(verifier, realm, node, now)?;
        let text = self.signed_bytes();
        match Domain::Location.is_signed(verifier, &node.0, &text, &self.signature) {
            true => Ok(member),
            false => Err(LocationError::WrongSignature),
        }
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&self.chain.device.realm.0);
        bytes.extend_from_slice(&self.node().0);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.home.0);
        bytes.push(self.standbys.len() as u8);
        self.standbys.iter().for_each(|standby| bytes.extend_from_slice(&standby.0));
        bytes.push(self.addresses.len() as u8);
        for address in &self.addresses {
            bytes.push(address.as_str().len() as u8);
            bytes.extend_from_slice(address.as_str().as_bytes());
        }
        self.labels.pack(&mut bytes);
        bytes.extend_from_slice(&self.lease_secs.to_be_bytes());
        bytes
    }
}

/// The key under which `name` stands in the index of `realm`.
pub fn index_key(realm: RealmId, name: &Name) -> IndexKey {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"trellis/1/index\0");
    hasher.update(&realm.0);
    hasher.update(name.as_str().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    IndexKey(u64::from_be_bytes(first))
}
