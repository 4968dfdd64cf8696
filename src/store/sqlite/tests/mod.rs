//! What only the file promises.

mod bounds;
mod damage;
mod documented;
mod forgetting;
mod migrating;
mod numbers;
mod opening;
mod power;
mod times;

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::model::stored::Condition;
use crate::store::tests::*;

/// A directory with nothing in it yet.
fn dir() -> TempDir {
    TempDir::new().unwrap()
}

fn opened(dir: &TempDir) -> Sqlite {
    Sqlite::open(&file(dir.path())).unwrap()
}

/// The file as the sqlite3 tool sees it.
fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

fn exists(dir: &TempDir, name: &str) -> bool {
    dir.path().join(name).exists()
}

/// The names in a directory, in order.
fn names(dir: &TempDir) -> Vec<String> {
    let names =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
