//! Mistakes made on purpose, to prove that the simulator's checks can fail.
//!
//! A site asks `seeded!(Name)`. Without the feature `seeded-bugs`, which only the simulator's tests
//! turn on, that is the word `false` and nothing of this is compiled. With it, a node makes the one
//! mistake that its [`Config`](crate::Config) names, if it names one.

#[cfg(feature = "seeded-bugs")]
macro_rules! seeded {
    ($bug:ident) => {
        crate::seeded::is(crate::seeded::SeededBug::$bug)
    };
}

#[cfg(not(feature = "seeded-bugs"))]
macro_rules! seeded {
    ($bug:ident) => {
        false
    };
}

#[cfg(feature = "seeded-bugs")]
pub use sown::SeededBug;
#[cfg(feature = "seeded-bugs")]
pub(crate) use sown::{is, sow};

#[cfg(feature = "seeded-bugs")]
mod sown {
    use std::cell::Cell;

    /// One mistake.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum SeededBug {
        /// A home compares labels by their number, so a peer never hears of changed ones.
        LabelNotReissued,
        /// A home prefers the cheaper label to that of the newer epoch.
        EpochIgnoredInChoice,
        /// A peer without a parent keeps the label it had.
        OrphanKeepsLabel,
        /// A label ends in the slot that the child has the parent in, not the other way round.
        SlotOfTheWrongEnd,
        /// The root of an older epoch stays one beside the new root of its tree.
        TwoRootsAccepted,
        /// A home gives its peers one slot more than the degree.
        DegreeOffByOne,
        /// A peer does not tell its home that a neighbour is gone.
        LossUnreported,
        /// Who asks over a link whether it lives takes its own question for a sign of life.
        SilenceUnnoticed,
        /// A node that has missed news does not ask for it.
        MissUnnoticed,
        /// A place is believed whatever its signature.
        PlaceUnchecked,
        /// A neighbour's older place replaces its newer one.
        OlderPlaceWins,
        /// Distances are taken between labels of different epochs.
        EpochIgnoredInDistance,
        /// A packet follows trees over links that are told to be dead.
        DeadLinksIgnored,
        /// A stuck packet goes where it has been.
        VisitedIgnored,
        /// A hop is not counted.
        HopNotCounted,
        /// A message that comes again is shown again.
        MessageShownAgain,
        /// A message is acknowledged and not shown.
        ReceiptWithoutShowing,
        /// The index keeps the older of two records.
        OlderRecordWins,
        /// A record in the index counts as valid after its lease.
        LeaseNeverEnds,
        /// A home and the index take a record that is older than the one they have.
        LastRecordWins,
        /// A supernode keeps the root of a tree that has become another's.
        TreeNotHandedOver,
        /// A supernode that was not run for a while says that all others are dead, and is believed.
        SleeperBuries,
        /// A supernode takes the certificates of a log-in for what they say.
        ChainUnchecked,
        /// A supernode looks at every log-in as it comes, whatever it has to do already.
        EverybodyAtOnce,
        /// A peer that was put off, or not answered, asks again at once.
        NoBackOff,
        /// A peer believes what a look-up brings, whoever has signed it.
        RecordUnchecked,
        /// A peer goes on talking with somebody who is out.
        OutcastKept,
        /// A recipient forgets which letters it has shown.
        LetterShownAgain,
        /// A recipient shows a letter though one before it is missing.
        LetterGapIgnored,
        /// A sender takes a letter in the mailbox for one that was delivered.
        KeptIsDelivered,
        /// A supernode that does not answer is dead, and has no time to say that it lives.
        SuspectIsDead,
        /// A supernode does not hear of deaths that others have found.
        DeathUnheard,
    }

    impl SeededBug {
        /// Every mistake that a node can be told to make.
        pub const ALL: &[SeededBug] = &[
            SeededBug::LabelNotReissued,
            SeededBug::EpochIgnoredInChoice,
            SeededBug::OrphanKeepsLabel,
            SeededBug::SlotOfTheWrongEnd,
            SeededBug::TwoRootsAccepted,
            SeededBug::DegreeOffByOne,
            SeededBug::LossUnreported,
            SeededBug::SilenceUnnoticed,
            SeededBug::MissUnnoticed,
            SeededBug::PlaceUnchecked,
            SeededBug::OlderPlaceWins,
            SeededBug::EpochIgnoredInDistance,
            SeededBug::DeadLinksIgnored,
            SeededBug::VisitedIgnored,
            SeededBug::HopNotCounted,
            SeededBug::MessageShownAgain,
            SeededBug::ReceiptWithoutShowing,
            SeededBug::OlderRecordWins,
            SeededBug::LeaseNeverEnds,
            SeededBug::LastRecordWins,
            SeededBug::TreeNotHandedOver,
            SeededBug::SleeperBuries,
            SeededBug::ChainUnchecked,
            SeededBug::EverybodyAtOnce,
            SeededBug::NoBackOff,
            SeededBug::RecordUnchecked,
            SeededBug::OutcastKept,
            SeededBug::LetterShownAgain,
            SeededBug::LetterGapIgnored,
            SeededBug::KeptIsDelivered,
            SeededBug::SuspectIsDead,
            SeededBug::DeathUnheard,
        ];
    }

    thread_local! {
        // Many sites have no configuration at hand; a node works on one thread during an input.
        static SOWN: Cell<Option<SeededBug>> = const { Cell::new(None) };
    }

    /// The node that works on this thread from now on makes this mistake.
    pub(crate) fn sow(bug: Option<SeededBug>) {
        SOWN.set(bug);
    }

    pub(crate) fn is(bug: SeededBug) -> bool {
        SOWN.get() == Some(bug)
    }
}
