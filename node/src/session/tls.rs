//! TLS 1.3 between two devices: each proves its node id, and nothing else is believed.
//!
//! Both ends show raw public keys (RFC 7250): the device's key, which is the node id. Whose device
//! that is the core knows from the signed binding, so no certificate has to be wrapped in X.509.

use overlay_proto::id::NodeId;
use overlay_proto::identity::SecretKey;
use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use quinn::rustls::client::AlwaysResolvesClientRawPublicKeys;
use quinn::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use quinn::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key};
use quinn::rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use quinn::rustls::server::AlwaysResolvesServerRawPublicKeys;
use quinn::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use quinn::rustls::sign::CertifiedKey;
use quinn::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};
use std::sync::Arc;

/// What both ends say to speak (RFC 7301).
const ALPN: &[u8] = b"trellis/session/1";
/// What stands before the 32 bytes of an Ed25519 public key in its DER form (RFC 8410).
const PUBLIC_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What stands before the 32 bytes of an Ed25519 secret key in PKCS #8 (RFC 8410).
const SECRET_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The library refuses key or settings.
    #[error("the session's TLS cannot be set up: {0}; this is a bug, please report it")]
    Rustls(#[from] Error),
    /// The library lacks what QUIC begins with.
    #[error("the session's TLS lacks QUIC's first cipher: {0}; this is a bug, please report it")]
    Quic(#[from] NoInitialCipherSuite),
}

/// A device's means to prove itself.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    key: Arc<CertifiedKey>,
    provider: Arc<CryptoProvider>,
}

impl Tls {
    /// With the device's key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(super) fn new(device: &SecretKey) -> Result<Tls, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut secret = zeroize::Zeroizing::new(SECRET_HEAD.to_vec());
        secret.extend_from_slice(&*device.to_bytes());
        let key = aws_lc_rs::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(&**secret))?;
        let public = CertificateDer::from([&PUBLIC_HEAD[..], &device.public()].concat());
        Ok(Tls { key: Arc::new(CertifiedKey::new(vec![public], key)), provider })
    }

    /// One that shows the key of `shown` and signs with `device`: a thief's.
    #[cfg(test)]
    pub(super) fn posing(shown: NodeId, device: &SecretKey) -> Result<Tls, TlsError> {
        let own = Tls::new(device)?;
        let public = CertificateDer::from([&PUBLIC_HEAD[..], &shown.0].concat());
        let key = Arc::new(CertifiedKey::new(vec![public], Arc::clone(&own.key.key)));
        Ok(Tls { key, ..own })
    }

    /// For the end that begins: the other one must be `node`.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(super) fn client(&self, node: NodeId) -> Result<QuicClientConfig, TlsError> {
        let verifier = Arc::new(Devices { node: Some(node), provider: Arc::clone(&self.provider) });
        let mut config =
            quinn::rustls::ClientConfig::builder_with_provider(Arc::clone(&self.provider))
                .with_protocol_versions(&[&quinn::rustls::version::TLS13])?
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                    Arc::clone(&self.key),
                )));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A ticket would let a device in again that has been shut out.
        config.resumption = quinn::rustls::client::Resumption::disabled();
        Ok(QuicClientConfig::try_from(config)?)
    }

    /// For the end that is called: any device may prove itself; who it is is looked at afterwards.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(super) fn server(&self) -> Result<QuicServerConfig, TlsError> {
        let verifier = Arc::new(Devices { node: None, provider: Arc::clone(&self.provider) });
        let mut config =
            quinn::rustls::ServerConfig::builder_with_provider(Arc::clone(&self.provider))
                .with_protocol_versions(&[&quinn::rustls::version::TLS13])?
                .with_client_cert_verifier(verifier)
                .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::clone(
                    &self.key,
                ))));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.send_tls13_tickets = 0;
        Ok(QuicServerConfig::try_from(config)?)
    }
}

/// The node of a raw public key in its DER form.
pub(super) fn node_of(key: &[u8]) -> Option<NodeId> {
    let bytes = key.strip_prefix(&PUBLIC_HEAD)?;
    bytes.try_into().ok().map(NodeId)
}

/// Takes Ed25519 keys only, and that of one node only if it says so.
#[derive(Debug)]
struct Devices {
    node: Option<NodeId>,
    provider: Arc<CryptoProvider>,
}

impl Devices {
    fn check(&self, key: &CertificateDer<'_>) -> Result<(), Error> {
        let shown = node_of(key).ok_or(CertificateError::BadEncoding)?;
        match self.node {
            Some(node) if node != shown => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(()),
        }
    }
}

const TLS12: Error = Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13);

/// What both ends check alike: TLS 1.3 by raw Ed25519 keys and nothing else.
macro_rules! raw_keys_only {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(TLS12)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            key: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let key = SubjectPublicKeyInfoDer::from(&**key);
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }

        fn requires_raw_public_keys(&self) -> bool {
            true
        }
    };
}

impl ServerCertVerifier for Devices {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(key).map(|()| ServerCertVerified::assertion())
    }

    raw_keys_only!();
}

impl ClientCertVerifier for Devices {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(key).map(|()| ClientCertVerified::assertion())
    }

    raw_keys_only!();
}
