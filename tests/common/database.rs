//! A PostgreSQL to test with.

/// A database that these tests may fill.
pub fn postgres_url() -> String {
    std::env::var("CONFAB_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "there is no PostgreSQL to test with: run the tests by `./dev test`, or by `./dev postgres`, which bring one, \
             or put the URL of a database with pgvector that may be filled into CONFAB_POSTGRES"
        )
    })
}
