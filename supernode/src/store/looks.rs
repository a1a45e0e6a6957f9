//! Which of all names that look alike is given out: the first.

use overlay_proto::name::Name;
use sqlx::sqlite::SqliteConnection;

/// Takes the looks of `name` for it. False if they belong to another name.
pub(super) async fn take(
    connection: &mut SqliteConnection,
    name: &Name,
) -> Result<bool, sqlx::Error> {
    let skeleton = name.skeleton();
    sqlx::query(
        "INSERT INTO looks (skeleton, name) VALUES (?, ?) ON CONFLICT (skeleton) DO NOTHING",
    )
    .bind(&skeleton)
    .bind(name.as_str())
    .execute(&mut *connection)
    .await?;
    let (holder,): (String,) = sqlx::query_as("SELECT name FROM looks WHERE skeleton = ?")
        .bind(&skeleton)
        .fetch_one(connection)
        .await?;
    Ok(holder == name.as_str())
}

/// Enters names that an older version has given out. Of two that look alike both stay with their
/// owners, and the older one has the looks.
pub(super) async fn complete(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let missing: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM names WHERE name NOT IN (SELECT name FROM looks) ORDER BY serial",
    )
    .fetch_all(&mut *connection)
    .await?;
    for (text,) in missing {
        let name = Name::new(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
        take(connection, &name).await?;
    }
    Ok(())
}
