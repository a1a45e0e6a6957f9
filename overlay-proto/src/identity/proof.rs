//! What proofs of possession sign, beside a link's transcript.

use crate::name::Name;

/// What a registration's proof signs.
pub(crate) fn registration(transcript: &[u8; 32], name: &Name, user: &[u8; 32]) -> Vec<u8> {
    [transcript.as_slice(), user, name.as_str().as_bytes()].concat()
}

/// What the proof of a new registrar's key signs.
pub(crate) fn enrolment(transcript: &[u8; 32], serial: u64, registrar: &[u8; 32]) -> Vec<u8> {
    [transcript.as_slice(), registrar, &serial.to_be_bytes()].concat()
}
