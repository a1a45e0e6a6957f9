//! Signatures that have been found right before, so that a supernode checks each once.
//!
//! It meets the same certificates and places again and again: with every log-in and location record,
//! and from each neighbour that reports. Only the signature is remembered, by a hash of all that it
//! depends on; realm, role, time and revocation are looked at each time, by who asks. What was wrong
//! is not remembered, so strangers cannot fill the memory, and neither are signatures that are shown
//! once: proofs, records, messages.

use overlay_proto::identity::verify::{Domain, Signature, StrictVerifier, Verify};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Signatures in a generation. The newest one and the one before it are kept: three certificates and
/// a place each of 8,000 peers, in about 3 MiB.
const REMEMBERED_MAX: usize = 32_768;
/// What is signed for long, and shown by many.
const WORTH: [Domain; 2] = [Domain::Certificate, Domain::Coordinates];

/// A verifier that remembers what was right.
pub struct Remembered {
    verifier: Arc<dyn Verify>,
    generations: Mutex<Generations>,
    size: usize,
}

#[derive(Default)]
struct Generations {
    young: BTreeSet<[u8; 32]>,
    old: BTreeSet<[u8; 32]>,
}

impl Default for Remembered {
    /// Ed25519 with a memory.
    fn default() -> Remembered {
        Remembered::new(Arc::new(StrictVerifier))
    }
}

impl Remembered {
    /// Asks `verifier` about what it does not remember.
    pub fn new(verifier: Arc<dyn Verify>) -> Remembered {
        Remembered { verifier, generations: Mutex::default(), size: REMEMBERED_MAX }
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        // A set of right signatures is right whoever panicked while holding it.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was right; what is asked for again stays another generation.
    fn recalls(&self, question: &[u8; 32]) -> bool {
        let mut generations = self.generations();
        if generations.young.contains(question) {
            return true;
        }
        let known = generations.old.contains(question);
        if known {
            generations.keep(*question, self.size);
        }
        known
    }
}

impl Generations {
    fn keep(&mut self, question: [u8; 32], size: usize) {
        if self.young.len() >= size {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(question);
    }
}

/// The hash of all that an answer depends on; none for what is not worth remembering.
fn question(key: &[u8; 32], tagged: &[u8], signature: &Signature) -> Option<[u8; 32]> {
    WORTH.iter().any(|domain| tagged.starts_with(domain.tag())).then(|| {
        // Both have one length, so no two questions give the same text.
        let mut hasher = blake3::Hasher::new();
        hasher.update(key).update(&signature.0).update(tagged);
        *hasher.finalize().as_bytes()
    })
}

impl Verify for Remembered {
    fn verify(&self, key: &[u8; 32], tagged: &[u8], signature: &Signature) -> bool {
        let Some(question) = question(key, tagged, signature) else {
            return self.verifier.verify(key, tagged, signature);
        };
        if self.recalls(&question) {
            return true;
        }
        let right = self.verifier.verify(key, tagged, signature);
        if right {
            self.generations().keep(question, self.size);
        }
        right
    }

    fn made(&self, key: &[u8; 32], tagged: &[u8], signature: &Signature) {
        if let Some(question) = question(key, tagged, signature) {
            self.generations().keep(question, self.size);
        }
        self.verifier.made(key, tagged, signature);
    }
}

impl fmt::Debug for Remembered {
    /// Without what it remembers: that is no part of what a node knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::identity::SecretKey;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Verify for Counting {
        fn verify(&self, key: &[u8; 32], tagged: &[u8], signature: &Signature) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            StrictVerifier.verify(key, tagged, signature)
        }
    }

    /// A memory for so many, and the questions that reach the verifier behind it.
    struct Desk {
        counting: Arc<Counting>,
        remembered: Remembered,
        key: SecretKey,
    }

    impl Desk {
        fn new(size: usize) -> Desk {
            let counting = Arc::new(Counting::default());
            let remembered =
                Remembered { size, ..Remembered::new(Arc::clone(&counting) as Arc<dyn Verify>) };
            Desk { counting, remembered, key: SecretKey::from_bytes([7; 32]) }
        }

        fn asks(&self, domain: Domain, text: &[u8], signature: &Signature) -> bool {
            domain.is_signed(&self.remembered, &self.key.public(), text, signature)
        }

        fn asked(&self) -> usize {
            self.counting.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_certificate_is_checked_once_and_a_proof_each_time() {
        let desk = Desk::new(8);
        let certificate = desk.key.sign(Domain::Certificate, b"one");
        assert!((0..5).all(|_| desk.asks(Domain::Certificate, b"one", &certificate)));
        assert_eq!(desk.asked(), 1);
        let proof = desk.key.sign(Domain::Login, b"one");
        assert!((0..5).all(|_| desk.asks(Domain::Login, b"one", &proof)));
        assert_eq!(desk.asked(), 6);
    }

    #[test]
    fn what_was_wrong_is_wrong_each_time_and_fills_nothing() {
        let desk = Desk::new(8);
        let right = desk.key.sign(Domain::Certificate, b"one");
        assert!(desk.asks(Domain::Certificate, b"one", &right));
        let mut wrong = right;
        wrong.0[3] ^= 1;
        for _ in 0..100 {
            assert!(!desk.asks(Domain::Certificate, b"one", &wrong));
            assert!(!desk.asks(Domain::Certificate, b"two", &right));
            let other = SecretKey::from_bytes([8; 32]).public();
            assert!(!Domain::Certificate.is_signed(&desk.remembered, &other, b"one", &right));
        }
        assert_eq!(desk.remembered.generations().young.len(), 1);
    }

    #[test]
    fn memory_is_bounded_and_what_is_shown_again_stays() {
        let desk = Desk::new(10);
        let often = desk.key.sign(Domain::Certificate, b"often");
        for n in 0..200_u32 {
            let text = n.to_be_bytes();
            let once = desk.key.sign(Domain::Certificate, &text);
            assert!(desk.asks(Domain::Certificate, &text, &once));
            assert!(desk.asks(Domain::Certificate, b"often", &often));
            let generations = desk.remembered.generations();
            assert!(generations.young.len() <= 10 && generations.old.len() <= 10);
        }
        assert_eq!(desk.asked(), 201);
    }
}
