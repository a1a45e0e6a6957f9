//! `/metrics`: what the core and the links have counted, in the text format of OpenMetrics 1.0,
//! which Prometheus reads. Nothing is counted here: each scrape shows the core's view.

use overlay_node::driver::Counters;
use overlay_proto::status::Status;
use overlay_proto::view::SupernodeView;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::fmt;

/// The type of what [`render`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Classes of frames as labels, in the order of [`Class::ALL`](overlay_proto::wire::Class::ALL).
const CLASSES: [&str; 4] = ["control", "real_time", "message", "bulk"];

/// A supernode at one moment.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The role.
    pub supernode: SupernodeView,
    /// The links.
    pub counters: Counters,
    /// Addresses at which it can be dialled.
    pub addresses: usize,
    /// Whether `/readyz` says so.
    pub ready: bool,
}

/// The text of `/metrics`.
///
/// # Errors
/// Never, while memory lasts: a text takes whatever is written to it.
pub fn render(seen: &Seen) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("trellis");
    registry.register_collector(Box::new(seen.clone()));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// The values of one metric: one without a label, or one for each of the label's values.
enum Values {
    One(u64),
    By(&'static str, Vec<(String, u64)>),
}

impl From<u64> for Values {
    fn from(value: u64) -> Values {
        Values::One(value)
    }
}

impl From<usize> for Values {
    fn from(value: usize) -> Values {
        Values::One(value as u64)
    }
}

fn by<const N: usize>(label: &'static str, values: [(&str, u64); N]) -> Values {
    Values::By(label, values.into_iter().map(|(name, n)| (name.to_owned(), n)).collect())
}

/// Writes metrics one after the other.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, values: impl Into<Values>) -> fmt::Result {
        self.write(name, help, None, MetricType::Counter, values.into())
    }

    fn gauge(&mut self, name: &str, help: &str, values: impl Into<Values>) -> fmt::Result {
        self.write(name, help, None, MetricType::Gauge, values.into())
    }

    fn write(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        kind: MetricType,
        values: Values,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, unit, kind)?;
        let write = |value: u64, metric: MetricEncoder<'_>| match kind {
            MetricType::Counter => ConstCounter::new(value).encode(metric),
            // A gauge is signed there; nothing here comes near the largest one.
            _ => ConstGauge::new(value.cast_signed()).encode(metric),
        };
        match values {
            Values::One(value) => write(value, metric),
            Values::By(label, values) => values.into_iter().try_for_each(|(name, value)| {
                write(value, metric.encode_family(&[(label, name.as_str())])?)
            }),
        }
    }
}

impl Collector for Seen {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.logins(&mut page)?;
        self.peers(&mut page)?;
        self.realm(&mut page)?;
        self.work(&mut page)?;
        self.links(&mut page)
    }
}

impl Seen {
    fn logins(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = &self.supernode.counters;
        let all = "; each is admitted, a standby's, redirected or refused";
        page.counter("logins_tried", &format!("Log-ins that came{all}"), counts.logins_tried)?;
        page.counter("logins_admitted", "Log-ins that got a session", counts.logins_admitted)?;
        page.counter("logins_standby", "Warm links to a standby", counts.logins_standby)?;
        page.counter("logins_redirected", "Log-ins sent elsewhere", counts.logins_redirected)?;
        page.counter("logins_refused", "Log-ins refused, by status code", self.refusals())?;
        let help = "Cookies given under load, to be shown at once";
        page.counter("logins_challenged", help, counts.logins_challenged)?;
        let (help, line) = ("Seconds that a newcomer has to wait", self.supernode.line_secs);
        let seconds = Some(&Unit::Seconds);
        page.write("login_line", help, seconds, MetricType::Gauge, u64::from(line).into())?;
        let capacity = self.supernode.logins_per_second;
        let help = "Log-ins a second that it takes at most, as measured or set";
        page.gauge("login_capacity", help, u64::from(capacity))?;
        page.gauge(
            "login_attempts_recent",
            "Log-ins tried in the last one to two minutes",
            counts.recent_attempts,
        )?;
        page.gauge(
            "login_clients_recent",
            "About how many different nodes made those attempts",
            counts.recent_clients,
        )?;
        page.counter("requests_refused", "All that was refused", self.supernode.refused)?;
        page.counter("registrations", "Names given out", counts.registered)
    }

    /// Every code that may come, so that a first refusal is seen as a rise from zero.
    fn refusals(&self) -> Values {
        let refused = &self.supernode.counters.logins_refused;
        let known = Status::ALL.iter().filter(|status| status.0 >= 400);
        let mut counts: BTreeMap<u16, u64> = known.map(|status| (status.0, 0)).collect();
        counts.extend(refused.iter().map(|refused| (refused.status.0, refused.count)));
        let sample = |(code, count): (u16, u64)| (code.to_string(), count);
        Values::By("status", counts.into_iter().map(sample).collect())
    }

    fn peers(&self, page: &mut Page<'_>) -> fmt::Result {
        let node = &self.supernode;
        let limits = [("soft", node.peers_soft as u64), ("hard", node.peers_hard as u64)];
        page.gauge("peers", "Peers logged in here", node.children)?;
        page.gauge("peers_limit", "Peers at which others get newcomers", by("kind", limits))?;
        page.gauge("peer_links", "Links that its peers have up", node.links)?;
        page.gauge("peer_free_slots", "Slots of its peers to be filled", node.free_slots)?;
        page.gauge("standby_links", "Peers for which it stands by", node.standby_links)
    }

    fn realm(&self, page: &mut Page<'_>) -> fmt::Result {
        let node = &self.supernode;
        let alive = node.members.iter().filter(|member| member.alive).count();
        let states = [("alive", alive as u64), ("lost", (node.members.len() - alive) as u64)];
        page.gauge("members", "The other supernodes, by state", by("state", states))?;
        page.gauge("index_records", "Location records kept", node.locations)?;
        page.gauge("trees_owned", "Trees whose root is one of its peers", node.trees_owned)?;
        page.gauge("ready", "Whether /readyz answers 200", u64::from(self.ready))?;
        let version = [(env!("CARGO_PKG_VERSION"), 1)];
        page.gauge("build_info", "The program's version", by("version", version))?;
        let (unit, kind) = (Some(&Unit::Seconds), MetricType::Gauge);
        let help = "Seconds that its own certificate still holds";
        page.write("certificate_left", help, unit, kind, node.certificate_secs.into())?;
        page.write("uptime", "Seconds since the start", unit, kind, node.uptime_secs.into())
    }

    fn work(&self, page: &mut Page<'_>) -> fmt::Result {
        let (node, counts) = (&self.supernode, &self.supernode.counters);
        let filled = [("splice", counts.slots_spliced), ("pair", counts.slots_paired)];
        page.counter("slots_filled", "Repairs: free slots filled", by("how", filled))?;
        page.counter("relinks", "Slots that got another neighbour", counts.relinked)?;
        page.counter("swaps", "Pairs of links that swapped ends", counts.swapped)?;
        page.counter("escalations", "Packets carried over the scaffold", node.escalated)?;
        page.counter("places_issued", "Places signed and sent", counts.places_issued)?;
        page.counter("lookups", "Peers' look-ups answered", counts.lookups_answered)?;
        let pending = [
            ("links", node.requests_open as u64),
            ("locations", node.finds_open as u64),
            ("store", node.store_open as u64),
        ];
        page.gauge("pending", "Requests without an answer yet", by("queue", pending))
    }

    fn links(&self, page: &mut Page<'_>) -> fmt::Result {
        let links = &self.counters;
        page.gauge("links", "Links up", links.links)?;
        page.gauge("strangers", "Links that have not greeted yet", self.supernode.strangers)?;
        page.counter("handshakes", "Connections that proved their keys", links.handshakes)?;
        page.counter("handshakes_failed", "Inbound ones that did not", links.handshakes_failed)?;
        page.gauge("connections", "Connections up, links or not", links.connections)?;
        let help = "Inbound connections for which there was no place";
        page.counter("connections_refused", help, links.connections_refused)?;
        let help = "Connections that were closed since they became no links in time";
        page.counter("connections_idle", help, links.connections_idle)?;
        let help = "Links ended since the other end did not take what was sent";
        page.counter("links_stalled", help, links.links_stalled)?;
        page.counter("dials_failed", "Dials that led to nothing", links.dials_failed)?;
        page.counter("frames_received", "Frames that came", links.frames_in)?;
        page.counter("frames_sent", "Frames that were written", links.frames_out)?;
        let dropped = [0, 1, 2, 3].map(|class| (CLASSES[class], links.dropped[class]));
        page.counter("frames_dropped", "Frames whose queue was full", by("class", dropped))?;
        page.gauge("queued_frames", "Frames that wait to be written", links.queued_frames)?;
        let (bytes, counter) = (Some(&Unit::Bytes), MetricType::Counter);
        page.write("received", "Bytes that came", bytes, counter, links.bytes_in.into())?;
        page.write("sent", "Bytes that were written", bytes, counter, links.bytes_out.into())?;
        let help = "Bytes that wait to be written";
        page.write("queued", help, bytes, MetricType::Gauge, links.queued_bytes.into())
    }
}
