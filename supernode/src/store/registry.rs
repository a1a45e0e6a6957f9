//! Which store it is: registrars of one realm on two stores would give one name to two keys.

use super::RegistrarStore;
use super::connect;
use super::error::StoreError;
use super::ledger::{Ledger, Scribe, meta, put_meta};
use super::open;
use super::place::StorePlace;
use super::policy::RegistrationPolicy;
use clap::ValueEnum;
use overlay_proto::id::{RealmId, RegistryId};
use sqlx::AnyConnection;

/// The store's own number, in `meta`.
const REGISTRY: &str = "registry";
/// Who may register, as the registrar that was started last has it, in `meta`.
const POLICY: &str = "registration";

impl StorePlace {
    /// Makes sure that several registrars can use the place.
    ///
    /// # Errors
    /// [`StoreError::NotShared`] for a file.
    pub fn require_shared(&self) -> Result<(), StoreError> {
        match self {
            StorePlace::File(_) => Err(StoreError::NotShared { place: self.clone() }),
            StorePlace::Postgres(_) => Ok(()),
        }
    }
}

impl RegistrarStore {
    /// The number of the store, which a further registrar has to find at its own place.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::NotShared`] if no other registrar can use it.
    pub async fn shared_registry(&self) -> Result<RegistryId, StoreError> {
        self.place.require_shared()?;
        let mut connection = open::reader(&self.place).await?;
        let found = registry(&mut connection).await;
        connect::close(connection).await;
        found.map_err(|error| StoreError::from_sql(&self.place, error))
    }

    /// Notes who may register, for registrars that join later. Another policy than that of the
    /// registrar before is told: whoever is refused by one would go to the other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_policy(&self, policy: RegistrationPolicy) -> Result<(), StoreError> {
        let mut scribe = Scribe::connect(&self.place).await?;
        let noted = note(&mut scribe, policy).await;
        scribe.close().await;
        match noted? {
            Some(before) if before != policy => tracing::warn!(
                %before,
                now = %policy,
                "who may register differs from what the last registrar of this store had: set --registration alike at all of them"
            ),
            _ => {}
        }
        Ok(())
    }
}

async fn note(
    scribe: &mut Scribe,
    policy: RegistrationPolicy,
) -> Result<Option<RegistrationPolicy>, StoreError> {
    let place = scribe.place.clone();
    let failed = |error| StoreError::from_sql(&place, error);
    let mut ledger = scribe.begin().await?;
    let before = noted(ledger.look()).await.map_err(failed)?;
    if before != Some(policy) {
        let text = policy.to_string().into_bytes();
        put_meta(ledger.write(), POLICY, text).await.map_err(failed)?;
    }
    ledger.commit().await?;
    Ok(before)
}

/// What the registrar that was started last had.
async fn noted(connection: &mut AnyConnection) -> Result<Option<RegistrationPolicy>, sqlx::Error> {
    let text = meta(connection, POLICY).await?.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(text.and_then(|text| RegistrationPolicy::from_str(&text, false).ok()))
}

/// Makes sure that the store at `place` is this one, without making or changing anything there; who
/// may register by it, where that is known.
///
/// # Errors
/// [`StoreError`]: [`StoreError::OtherStore`] if it is another one or none,
/// [`StoreError::ForeignRealm`], [`StoreError::NotShared`].
pub async fn confirm(
    place: &StorePlace,
    realm: RealmId,
    wanted: RegistryId,
) -> Result<Option<RegistrationPolicy>, StoreError> {
    place.require_shared()?;
    let mut connection = open::reader(place).await?;
    let found = look(&mut connection).await;
    connect::close(connection).await;
    match found.map_err(|error| StoreError::from_sql(place, error))? {
        Some((_, Some(found), _)) if found != realm => {
            Err(StoreError::ForeignRealm { place: place.clone(), found })
        }
        Some((found, Some(_), policy)) if found == wanted => Ok(policy),
        other => {
            let found = other.map(|(registry, ..)| registry);
            Err(StoreError::OtherStore { place: place.clone(), wanted, found })
        }
    }
}

type Found = (RegistryId, Option<RealmId>, Option<RegistrationPolicy>);

/// What says which store it is; none where there is none.
async fn look(connection: &mut AnyConnection) -> Result<Option<Found>, sqlx::Error> {
    let (tables,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM information_schema.tables
         WHERE table_schema = 'trellis' AND table_name = 'meta'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if tables == 0 {
        return Ok(None);
    }
    let realm = open::bound(connection).await?;
    let policy = noted(connection).await?;
    match meta(connection, REGISTRY).await? {
        Some(bytes) => Ok(Some((read(bytes)?, realm, policy))),
        None => Ok(None),
    }
}

/// The number of a store that has been opened before.
pub(super) async fn registry(connection: &mut AnyConnection) -> Result<RegistryId, sqlx::Error> {
    let bytes = meta(connection, REGISTRY).await?.unwrap_or_default();
    read(bytes)
}

fn read(bytes: Vec<u8>) -> Result<RegistryId, sqlx::Error> {
    let bytes = bytes.try_into();
    bytes.map(RegistryId).map_err(|_| sqlx::Error::Decode("its number is not there".into()))
}

impl Ledger<'_> {
    /// Makes the store take over the number of the one that it is a copy of, so that registrars
    /// find it after a restore.
    pub(super) async fn take_registry(&mut self, registry: RegistryId) -> Result<(), sqlx::Error> {
        put_meta(self.write(), REGISTRY, registry.0.to_vec()).await
    }
}
