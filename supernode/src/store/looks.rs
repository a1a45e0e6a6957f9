//! Which of all names that look alike is given out: the first.

use super::ledger::Ledger;
use super::rows::{NameRow, Row};
use overlay_proto::name::Name;
use std::collections::BTreeMap;

impl Ledger<'_> {
    /// Whether another name has the looks of `name`.
    pub(super) async fn looks_taken(&mut self, name: &Name) -> Result<bool, sqlx::Error> {
        let holder: Option<(String,)> =
            sqlx::query_as("SELECT name FROM looks WHERE skeleton = $1")
                .bind(name.skeleton())
                .fetch_optional(self.look())
                .await?;
        Ok(holder.is_some_and(|(holder,)| holder != name.as_str()))
    }

    /// Gives the looks to `name`, unless somebody has them.
    pub(super) async fn take_looks(
        &mut self,
        skeleton: &str,
        name: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO looks (skeleton, name) VALUES ($1, $2) ON CONFLICT (skeleton) DO NOTHING",
        )
        .bind(skeleton.to_owned())
        .bind(name.to_owned())
        .execute(self.write())
        .await
        .map(drop)
    }

    /// Makes the table what follows from the names: an older version gave some out without it, and
    /// its rows have no checksums. Of two that look alike both stay with their owners, and the older
    /// one has the looks.
    pub(super) async fn complete_looks(&mut self) -> Result<(), sqlx::Error> {
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        let names: Vec<NameRow> = sqlx::query_as(NameRow::ALL).fetch_all(self.look()).await?;
        for row in names {
            let name = Name::new(&row.name).map_err(|error| sqlx::Error::Decode(error.into()))?;
            wanted.entry(name.skeleton()).or_insert(row.name);
        }
        let there: Vec<(String, String)> =
            sqlx::query_as("SELECT skeleton, name FROM looks").fetch_all(self.look()).await?;
        if there.into_iter().collect::<BTreeMap<_, _>>() == wanted {
            return Ok(());
        }
        sqlx::query("DELETE FROM looks").execute(self.write()).await?;
        for (skeleton, name) in wanted {
            self.take_looks(&skeleton, &name).await?;
        }
        Ok(())
    }
}
