//! The same tests for both databases, and those that only one of them needs.

/// Runs each of these, which take a [`Ground`](ground::Ground), on both databases.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::store::tests::ground::Ground::sqlite()).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(ground) = $crate::store::tests::ground::Ground::postgres().await {
                    super::$test(ground).await;
                }
            })*
        }
    };
}

mod backups;
mod claims;
mod cluster;
mod desk;
mod files;
mod ground;
mod registries;
mod servers;
