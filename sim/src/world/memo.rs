//! Signature checks that remember their answers, for a whole world in one process.
//!
//! Every node of the world asks the same verifier, and the answer is a pure function of the
//! question: remembering changes the time a check takes and nothing else. What a node of the world
//! has signed is known to be good from the start.

use overlay_proto::identity::Signature;
use overlay_proto::identity::verify::{StrictVerifier, Verify};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Answers kept in each of the two generations: 48 MB in all. A record is asked about by the few
/// dozen nodes around it, all within seconds.
const ANSWERS_MAX: usize = 1 << 20;

/// How many checks there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checks {
    /// Checks that nodes asked for.
    pub asked: u64,
    /// Of them, those that were not remembered and cost an Ed25519 verification.
    pub verified: u64,
    /// Signatures that nodes made.
    pub made: u64,
}

impl Checks {
    /// What there was since an earlier look.
    pub fn since(&self, before: &Checks) -> Checks {
        Checks {
            asked: self.asked - before.asked,
            verified: self.verified - before.verified,
            made: self.made - before.made,
        }
    }
}

/// Remembers the answers of [`StrictVerifier`].
#[derive(Debug)]
pub struct MemoVerifier {
    memory: Mutex<Memory>,
    answers_max: usize,
}

#[derive(Debug, Default)]
struct Memory {
    young: Answers,
    old: Answers,
    checks: Checks,
}

type Answers = HashMap<u128, bool, BuildHasherDefault<Taken>>;

/// The keys are cryptographic hashes: any eight bytes of them are hash enough.
#[derive(Debug, Default)]
struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

impl Default for MemoVerifier {
    fn default() -> MemoVerifier {
        MemoVerifier::remembering(ANSWERS_MAX)
    }
}

impl MemoVerifier {
    /// A verifier that remembers between `answers_max` and twice as many answers.
    pub fn remembering(answers_max: usize) -> MemoVerifier {
        MemoVerifier { memory: Mutex::default(), answers_max }
    }

    /// The checks so far.
    pub fn checks(&self) -> Checks {
        self.memory().checks
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // A map of pure answers is right whoever panicked while holding it.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The question by its hash, which nobody can make two questions share.
fn question(key: &[u8; 32], tagged: &[u8], signature: &Signature) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(&signature.0).update(tagged);
    let mut question = [0; 16];
    question.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(question)
}

impl Memory {
    fn remember(&mut self, question: u128, answer: bool, answers_max: usize) {
        if self.young.len() >= answers_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(question, answer);
    }
}

impl Verify for MemoVerifier {
    fn made(&self, key: &[u8; 32], tagged: &[u8], signature: &Signature) {
        let question = question(key, tagged, signature);
        let mut memory = self.memory();
        memory.checks.made += 1;
        memory.remember(question, true, self.answers_max);
    }

    fn verify(&self, key: &[u8; 32], tagged: &[u8], signature: &Signature) -> bool {
        let question = question(key, tagged, signature);
        let mut memory = self.memory();
        memory.checks.asked += 1;
        if let Some(answer) = memory.young.get(&question) {
            return *answer;
        }
        let answer = match memory.old.get(&question) {
            Some(answer) => *answer,
            None => {
                memory.checks.verified += 1;
                StrictVerifier.verify(key, tagged, signature)
            }
        };
        memory.remember(question, answer, self.answers_max);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::identity::{Domain, SecretKey};

    #[test]
    fn answers_are_right_and_asked_once() {
        let memo = MemoVerifier::default();
        let key = SecretKey::from_bytes([7; 32]);
        let good = key.sign(Domain::Login, b"text");
        let tagged = Domain::Login.tagged(b"text");
        for _ in 0..3 {
            assert!(memo.verify(&key.public(), &tagged, &good));
            assert!(!memo.verify(&key.public(), &Domain::Register.tagged(b"text"), &good));
            assert!(!memo.verify(&[1; 32], &tagged, &good));
        }
        assert_eq!(memo.checks(), Checks { asked: 9, verified: 3, made: 0 });
    }

    #[test]
    fn what_a_node_signs_is_known_and_nothing_else() {
        let memo = MemoVerifier::default();
        let key = SecretKey::from_bytes([7; 32]);
        let good = key.sign_before(&memo, Domain::Login, b"text");
        assert!(memo.verify(&key.public(), &Domain::Login.tagged(b"text"), &good));
        assert_eq!(memo.checks(), Checks { asked: 1, verified: 0, made: 1 });
        assert!(!memo.verify(&key.public(), &Domain::Login.tagged(b"other"), &good));
        assert_eq!(memo.checks(), Checks { asked: 2, verified: 1, made: 1 });
    }

    #[test]
    fn memory_is_bounded_and_forgetting_only_costs_time() {
        let memo = MemoVerifier::remembering(2);
        let key = SecretKey::from_bytes([7; 32]);
        for round in 0..2 {
            for text in 0..10_u8 {
                let signature = key.sign(Domain::Login, &[text]);
                assert!(memo.verify(&key.public(), &Domain::Login.tagged(&[text]), &signature));
            }
            assert_eq!(memo.checks().verified, 10 * (round + 1));
        }
        let memory = memo.memory();
        assert!(memory.young.len() + memory.old.len() <= 4);
    }
}
