//! The figures of one run, flat, with the names that users of the JSON rely on.

use serde::{Deserialize, Serialize};

/// What one run has measured, in the virtual world or in a network of real processes. What does
/// not apply to a run is `None` and left out of its JSON. Times named `_ms` are milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// The scenario.
    pub scenario: String,
    /// Whether the run was interrupted: then the figures are of what was done until then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// All dice of the run come from it.
    pub seed: u64,
    /// Users' peers at the start.
    pub peers: usize,
    /// Supernodes at the start.
    pub supernodes: usize,
    /// Neighbours a peer has at most.
    pub degree: usize,
    /// Spanning trees.
    pub trees: usize,
    /// Peers that logged in.
    pub logged_in: usize,
    /// Messages sent.
    pub messages_sent: usize,
    /// Messages shown to their readers exactly once.
    pub messages_delivered: usize,
    /// Times that a message was shown to its reader again.
    pub duplicates: u64,
    /// Mean hops of delivered messages: in a run without a crash of all, else of those that went
    /// at the first try and not over the scaffold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops_mean: Option<f64>,
    /// 99th percentile of the same hops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops_p99: Option<f64>,
    /// The smallest mean distance that any graph of this size and degree could have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops_moore_mean: Option<f64>,
    /// `hops_mean` over `hops_moore_mean`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops_over_moore: Option<f64>,
    /// Mean distance between peers over the links that are up at the end: what a router that sees
    /// everything would need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops_graph_mean: Option<f64>,
    /// Mean one-way delay along the ways that packets take over the mean delay of the direct ways,
    /// for random pairs of peers, walked over the network as it stands at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stretch_mean: Option<f64>,
    /// Delay along the way over that of the direct way, pair by pair: the mean of the ratios, in
    /// which two in one town count as much as two continents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stretch_pairs_mean: Option<f64>,
    /// Of the same ratios: 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stretch_p95: Option<f64>,
    /// Share of the peers that have fewer links within their region than the realm wants, at the
    /// end; only where it wants any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_lacking_share: Option<f64>,
    /// Of those walks, how many the busiest peer has forwarded, over the mean of all peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_max_over_mean: Option<f64>,
    /// Share of those walks that arrived without the scaffold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walks_delivered: Option<f64>,
    /// Into how many parts the links between live peers fall at the end: one is a whole network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<usize>,
    /// Packets that peers handed to the scaffold.
    pub escalations: u64,
    /// Most neighbours that a peer ever had.
    pub degree_max: usize,
    /// From the crash until a peer that lost a neighbour was whole again: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair_ms_p99: Option<f64>,
    /// From the crash until no label changed any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_fresh_seconds: Option<f64>,
    /// From the command to the session: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_ms_p99: Option<f64>,
    /// From the question where a user is to the answer: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup_ms_p50: Option<f64>,
    /// Look-ups of users on line while some supernodes lied about the index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consulted: Option<u64>,
    /// Those of them that found who was meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consulted_found: Option<u64>,
    /// Those that were answered with signed words that there is no such user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consulted_hidden: Option<u64>,
    /// From the end of a partition, or of a sleep, until a peer had one session, and its newest record
    /// stood at all of its replicas, and all supernodes counted the same members: median of all peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converge_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converge_ms_p99: Option<f64>,
    /// The same: the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converge_ms_max: Option<f64>,
    /// From then until each tree had one owner: the longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owners_ms_max: Option<f64>,
    /// Users asked after at two supernodes at once, ten seconds and more after a heal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<u64>,
    /// Of them, those of whom the two said different things.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflicting_answers: Option<u64>,
    /// Further pairs of which one could not say, or said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_unanswered: Option<u64>,
    /// Times that a supernode put an older record in the place of a newer one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_writes: Option<u64>,
    /// Supernodes that were awake and given up by others that were, while some slept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buried_by_sleepers: Option<u64>,
    /// Messages that never arrived though their senders were not told so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_lost: Option<usize>,
    /// Messages that never arrived, as their senders were told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_given_up: Option<usize>,
    /// Share of the links' ends that are at peers that lie about labels, when they have lied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liars_links_share: Option<f64>,
    /// Share of the hops of random walks that these peers forward, before they lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liars_routes_share_before: Option<f64>,
    /// The same when they have lied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liars_routes_share: Option<f64>,
    /// Nodes without a certificate of the realm that wanted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strangers: Option<usize>,
    /// Links that they made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strangers_links: Option<u64>,
    /// What they said on these beside greetings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strangers_said: Option<u64>,
    /// Sessions, slots, records and places in the scaffold that they got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strangers_slots: Option<u64>,
    /// Answers that they got and only members should, and links that members made to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strangers_answers: Option<u64>,
    /// Users who crashed and came back meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honest_returned: Option<usize>,
    /// Of them, those who were logged in at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honest_let_in: Option<usize>,
    /// Users whom the registrar has shut out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<usize>,
    /// Times that somebody looked for one of them afterwards; being told where is a violation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_sought: Option<u64>,
    /// From the registrar's command until no supernode has a session of the user and no peer has it
    /// as a neighbour, of those whom the word could reach: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shut_out_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shut_out_ms_p99: Option<f64>,
    /// The same from the end of a partition, of those who were cut off from the registrar: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shut_out_healed_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shut_out_healed_ms_p99: Option<f64>,
    /// From the registrar's command until the session that another user has with the outcast is over
    /// at that end, of those whom the word could reach: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_over_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_over_ms_p99: Option<f64>,
    /// The same from the end of a partition, where that end was cut off from the registrar: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_over_healed_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_over_healed_ms_p99: Option<f64>,
    /// Messages that wait, of those whose writers were told that they are durable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_written: Option<usize>,
    /// Of them: delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_delivered: Option<usize>,
    /// Of them: expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_expired: Option<usize>,
    /// Of them: returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_returned: Option<usize>,
    /// Why these were returned: each code with its count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_returned_why: Option<String>,
    /// Of them: without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_open: Option<usize>,
    /// Of them: said to be delivered, and never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_lost: Option<usize>,
    /// Times that one was shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_duplicates: Option<u64>,
    /// Times that one was shown after a later one of its sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_out_of_order: Option<u64>,
    /// From the writing to the showing: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_ms_p99: Option<f64>,
    /// Supernodes that died while the others were watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_deaths: Option<usize>,
    /// Seconds from a death until a living supernode knew of it, of all pairs: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_secs_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_secs_p99: Option<f64>,
    /// The same: the longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_secs_max: Option<f64>,
    /// Times that a supernode gave up one that lived, though all passed between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_false_deaths: Option<u64>,
    /// Times that one gave up another because nothing passed between them one way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_unreached: Option<u64>,
    /// Bytes that a supernode sent in a second of peace: traffic of all classes by the number of
    /// those that lived, so that of peers is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_bytes_per_second: Option<f64>,
    /// The same while others died.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_bytes_per_second_dying: Option<f64>,
    /// Simulated seconds; in a real network, as `wall_seconds`.
    pub sim_seconds: f64,
    /// Seconds that the run took.
    pub wall_seconds: f64,
    /// Inputs given to nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// Hash of every input of every node with its time: equal for equal runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_hash: Option<String>,
    /// Share, 0 to 1, of the messages sent before the crash that were delivered exactly once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_before_crash: Option<f64>,
    /// Share of random pairs of survivors between which a packet finds its way without the scaffold,
    /// walked over the network as the crash left it, once all have noticed and told which links
    /// are dead, and before anything is repaired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_before_any_repair: Option<f64>,
    /// Share of the messages sent among survivors between the crash and the end of repair that
    /// were delivered exactly once at all: senders try again, and escalate what finds no way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_before_repair: Option<f64>,
    /// Share of the messages sent after repair that were delivered exactly once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_after_repair: Option<f64>,
    /// Share of the messages sent between the crash and the end of repair that arrived at the
    /// first try without the scaffold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_try_before_repair: Option<f64>,
    /// Mean hops of the messages sent after repair that went at the first try and not over the
    /// scaffold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops_mean_after_repair: Option<f64>,
    /// From the command to the receipt: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_ms_p99: Option<f64>,
    /// Mean neighbours of a live peer at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree_mean: Option<f64>,
    /// Sessions that ended though nobody wanted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_lost: Option<u64>,
    /// Control traffic sent by all nodes for each second and peer, from when the last peer had its
    /// place to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_bytes_per_peer_second: Option<f64>,
    /// Links made or cut for each peer that joined, from the beginning until all had their places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links_changed_per_join: Option<f64>,
    /// Links lost, cut or made for each peer that crashed, from the crash until repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links_changed_per_leave: Option<f64>,
    /// Labels that homes gave or changed for each peer that joined, its own among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_changed_per_join: Option<f64>,
    /// Labels that homes changed for each peer that crashed, until repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_changed_per_leave: Option<f64>,
    /// Share of the texts that came to peers alive at the end whose packet named a label that was
    /// not the peer's any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_addresses_share: Option<f64>,
    /// Mean bytes of memory that a peer keeps between inputs, of a sample of those alive at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_bytes_per_peer: Option<f64>,
    /// Signature checks that nodes asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signatures_asked: Option<u64>,
    /// Of them, those whose answer was not remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signatures_verified: Option<u64>,
    /// `events` over `wall_seconds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_per_second: Option<f64>,
    /// Most memory that the process ever had resident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss_bytes: Option<u64>,
    /// In a storm of log-ins: seconds from the last blow of the script until half of the peers were
    /// logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_secs_to_50: Option<f64>,
    /// The same: 99 of a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_secs_to_99: Option<f64>,
    /// The same: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_secs_to_100: Option<f64>,
    /// Most sessions given in one second of a storm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_logins_per_second_peak: Option<f64>,
    /// The least share of what the supernodes can do, over five seconds, that gave sessions while
    /// more peers waited than could be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_goodput_min: Option<f64>,
    /// Sessions asked for in a storm, by each peer that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_attempts_per_client: Option<f64>,
    /// The same in the worst ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_attempts_per_client_peak: Option<f64>,
    /// Log-ins that supernodes put off or refused in a storm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_refused: Option<u64>,
    /// The same in the worst second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_refused_per_second_peak: Option<f64>,
    /// Living supernodes that others gave up in a storm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_supernodes_lost: Option<u64>,
    /// Living homes that peers gave up in a storm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_homes_given_up: Option<u64>,
    /// The longest time for which anything has waited for a supernode's core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_line_secs_max: Option<f64>,
    /// Seconds from the last blow until as many were logged in as before the first, where a usual load
    /// went on all the while; none if they never were before it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_secs_to_normal: Option<f64>,
    /// From the command to the session, of those who came back during a flood of log-ins that prove
    /// nothing: median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flood_login_ms_p50: Option<f64>,
    /// The same: 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flood_login_ms_p99: Option<f64>,
    /// Those who came back meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flood_logins: Option<usize>,
    /// From command to receipt of messages between others, in peace before one user was hot: 99th
    /// percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hot_others_ms_p99_before: Option<f64>,
    /// The same while one user was hot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hot_others_ms_p99: Option<f64>,
    /// Of these messages, those without a receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hot_others_lost: Option<usize>,
    /// Of the messages to the hot user, the share that was delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hot_served_share: Option<f64>,
    /// The longest time for which anything has waited for a supernode's core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hot_line_secs_max: Option<f64>,
    /// Signatures that supernodes checked and made in the whole run, by sessions given, where their
    /// work takes time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supernode_signatures_per_login: Option<f64>,
    /// Seconds from when attempts by each peer rose until the share of those logged in fell again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_warning_secs: Option<f64>,
    /// Violations of checks.
    pub violations: u64,
}
