//! `supernode run`: the role, until Ctrl-C.

use super::args::{self, RunArgs};
use super::store::{self, registers};
use crate::api::{Admin, admin_routes};
use crate::operator::{OperatorListener, StoreHealth, Watch, WatchedStore};
use crate::remembered::Remembered;
use crate::store::{RegistrarStore, Registration, RegistrationPolicy};
use overlay_node::api::{ApiEvent, Feed, pump, serve};
use overlay_node::cli::{Ending, Failure, Output, end_of_input, short};
use overlay_node::data::{Folder, Loaded};
use overlay_node::driver::{self, Capture, Options, Store};
use overlay_node::mail::LetterKeeper;
use overlay_node::settings;
use overlay_proto::Config;
use overlay_proto::status::Status;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

pub(super) async fn run(folder: &Folder, args: RunArgs, out: &Output) -> Result<(), Failure> {
    let mut ending = Ending::watch()?;
    let loaded = folder.load(driver::wall())?;
    let _lock = folder.lock()?;
    let code = args.registration.registration_code.clone();
    let store = open_store(folder, &loaded, &args).await?;
    let Loaded { identity, contacts, .. } = loaded;
    let mut lists = folder.revocations();
    if let Some(store) = &store {
        lists.extend(store.revocations().await.map_err(|error| store::of_store(&error))?);
    }
    let (letters, kept) = LetterKeeper::open(folder, identity.node()).await?;
    let letters = Arc::new(letters);
    let identity = Arc::new(identity);
    let store_health = StoreHealth::default();
    let capture = args.capture.as_deref().map(Capture::create).transpose();
    let capture = capture.map_err(|error| Failure::local(error.to_string()))?;
    let handle = driver::start(Options {
        identity: identity.clone(),
        config: Arc::new(config(&args)),
        hosts: folder.hosts(&contacts),
        listen: settings::listen(args.place.listen, &args.place.announce),
        store: store.clone().map(|store| {
            Arc::new(WatchedStore::new(store, store_health.clone())) as Arc<dyn Store>
        }),
        keeper: Some(letters.clone()),
        measure_logins: args.logins_per_second.is_none(),
        capture: capture.map(Arc::new),
    })
    .await?;
    handle.recall(lists, Vec::new()).await;
    handle.recall_letters(kept).await;
    // Before anybody is told that it listens: who wants to be watched shall not run unwatched.
    let watch = Watch { handle: handle.clone(), store: store_health };
    let watched = watched_at(args.metrics, watch).await?;
    let feed = Feed::default();
    let pumped = pump(&handle, feed.clone(), folder.clone(), None);
    let realm = identity.realm.to_string();
    let admin = Admin {
        handle: handle.clone(),
        identity,
        code: code.map(Into::into),
        feed: feed.clone(),
        store: store.as_ref().map(Arc::downgrade),
        metrics: watched.as_ref().map(OperatorListener::address),
    };
    let server = serve(&folder.socket(), admin_routes(admin))?;
    let addresses: Vec<String> = handle.addresses().iter().map(ToString::to_string).collect();
    let node = handle.id().to_string();
    let listening = ApiEvent::Listening { node: node.clone(), addresses: addresses.clone() };
    out.show(&listening, || {
        format!(
            "supernode {} of realm {} listens on\n  {}\nInvite with: supernode invite; Ctrl-C ends it",
            short(&node),
            short(&realm),
            addresses.join("\n  ")
        )
    });
    let done = tokio::select! {
        () = show_events(&feed, out) => Err(Failure::local("the node has ended by itself: see its log")),
        () = ending.wished() => Ok(()),
        () = drained(&feed) => Ok(()),
        () = end_of_input(), if args.exit_with_parent => Ok(()),
    };
    server.end().await;
    tokio::select! {
        () = handle.shutdown() => {}
        () = ending.wished() => {}
    }
    drop((handle, watched));
    let _ = pumped.await;
    // The driver has let go of it; what was promised is synced already.
    if let Some(store) = store.and_then(Arc::into_inner) {
        store.close().await;
    }
    if let Some(letters) = Arc::into_inner(letters) {
        letters.close().await;
    }
    done
}

fn config(args: &RunArgs) -> Config {
    let config = args.shape.config();
    let logins_per_second = args.logins_per_second.unwrap_or(config.logins_per_second);
    Config { logins_per_second, verifier: Arc::new(Remembered::default()), ..config }
}

async fn watched_at(
    address: Option<SocketAddr>,
    watch: Watch,
) -> Result<Option<OperatorListener>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let listener = OperatorListener::start(address, watch).await;
    let listener = listener.map_err(|error| Failure::local(error.to_string()))?;
    tracing::info!(address = %listener.address(), "metrics are served");
    Ok(Some(listener))
}

async fn open_store(
    folder: &Folder,
    loaded: &Loaded,
    args: &RunArgs,
) -> Result<Option<Arc<RegistrarStore>>, Failure> {
    let identity = &loaded.identity;
    if identity.supernode.is_none() {
        return Err(Failure::new(
            Status::WRONG_ROLE,
            "this data folder is a peer's",
            "use `peer run`, or make a supernode in another folder with --data DIR",
        ));
    }
    if !registers(identity) {
        return Ok(None);
    }
    let registration = registration(&args.registration);
    let policy = registration.policy;
    let opened = store::open(folder, loaded, &args.storage, registration).await?;
    opened.note_policy(policy).await.map_err(|error| store::of_store(&error))?;
    Ok(Some(Arc::new(opened)))
}

/// A code of the settings says how it is meant, unless the policy is named as well.
fn registration(args: &args::Registration) -> Registration {
    let code = args.registration_code.clone();
    let meant = if code.is_some() { RegistrationPolicy::Code } else { RegistrationPolicy::Open };
    Registration { policy: args.registration.unwrap_or(meant), code }
}

/// Returns when the last peer has been sent elsewhere.
async fn drained(feed: &Feed) {
    let mut events = feed.listen();
    while !matches!(events.recv().await, Ok(ApiEvent::Drained) | Err(RecvError::Closed)) {}
}

/// Shows events to a program; people ask with `supernode status` and `supernode peers`.
async fn show_events(feed: &Feed, out: &Output) {
    let mut events = feed.listen();
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => ApiEvent::Missed { count },
            Err(RecvError::Closed) => return,
        };
        // The driver has them in the log already.
        if out.json {
            out.show(&event, String::new);
        }
    }
}
