//! One value of a scenario's file is replaced by another: `outage.load=0.7`.

use super::load::{Change, ScenarioError};
use super::{Scenario, load};
use std::fmt;
use std::str::FromStr;
use toml::{Table, Value};

/// Which value of a scenario is replaced: `seed`, a value of a table as `population.degree`, or one of the
/// steps of a kind, as `outage.load` or `outage.under.per_peer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(Vec<String>);

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Key, String> {
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        let word = |part: &String| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if parts.iter().all(word) {
            Ok(Key(parts))
        } else {
            Err(format!("`{text}` is no key such as outage.load or population.degree"))
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A value as it stands in a file: a number, a word, true or false.
pub fn value(text: &str) -> Value {
    if let Ok(number) = text.parse() {
        return Value::Integer(number);
    }
    match text {
        "true" | "false" => Value::Boolean(text == "true"),
        _ => text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Float),
    }
}

impl Scenario {
    /// As [`Scenario::load`], with another value for one key of the file.
    ///
    /// # Errors
    /// [`ScenarioError`]; that there is no such key, too.
    pub fn load_with(
        name: &str,
        key: &Key,
        value: &Value,
        change: &Change,
    ) -> Result<Scenario, ScenarioError> {
        let text = load::text(name)?;
        // What is wrong with the file itself is told by its lines.
        Scenario::parse(name, &text, &Change::default())?;
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
            ScenarioError::Unreadable { name: name.into(), reason: error.message().to_owned() }
        })?;
        set(&mut table, key, value).map_err(|reason| ScenarioError::Unreadable {
            name: format!("{name}, {key}"),
            reason,
        })?;
        let text = toml::to_string(&table).expect("it was read from such text");
        Scenario::parse(name, &text, change).map_err(|error| match error {
            // The line is one of a text that nobody sees.
            ScenarioError::Invalid { reason, .. } => {
                ScenarioError::Unreadable { name: format!("{name}, {key} = {value}"), reason }
            }
            other => other,
        })
    }
}

fn set(file: &mut Table, key: &Key, value: &Value) -> Result<(), String> {
    let (first, rest) = key.0.split_first().ok_or("an empty key")?;
    if rest.is_empty() || TABLES.contains(&first.as_str()) {
        put(file, &key.0, value);
        return Ok(());
    }
    let mut kinds: Vec<String> = Vec::new();
    let mut is_set = false;
    let steps = file.get_mut("step").and_then(Value::as_array_mut);
    for step in steps.into_iter().flatten().filter_map(Value::as_table_mut) {
        kinds.extend(step.keys().cloned());
        if let Some(step) = step.get_mut(first).and_then(Value::as_table_mut) {
            put(step, rest, value);
            is_set = true;
        }
    }
    match is_set {
        true => Ok(()),
        false => {
            Err(format!("no table and no step is called {first}; steps: {}", kinds.join(", ")))
        }
    }
}

/// The tables of a file that are no steps.
const TABLES: [&str; 4] = ["population", "network", "supernode", "bars"];

/// Whether there may be such a value is found out when the file is read.
fn put(table: &mut Table, path: &[String], value: &Value) {
    match path {
        [] => {}
        [last] => {
            table.insert(last.clone(), value.clone());
        }
        [first, rest @ ..] => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            if let Some(inner) = inner.as_table_mut() {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Step;

    fn varied(key: &str, with: &str) -> Result<Scenario, String> {
        let key = key.parse().expect("a key");
        let loaded = Scenario::load_with("outage2010", &key, &value(with), &Change::default());
        loaded.map_err(|error| error.to_string())
    }

    #[test]
    fn one_value_is_another_and_all_else_as_it_was() {
        let plain = Scenario::load("outage2010", &Change::default()).expect("built in");
        assert!(varied("outage.supernodes", "0.7").expect("its own value").is_like(&plain));
        let less = varied("outage.supernodes", "0.1").expect("a share");
        let Some(Step::Outage(outage)) = less.step.last().map(|step| step.get_ref()) else {
            panic!("no outage: {less:?}");
        };
        assert_eq!((outage.supernodes, outage.users), (0.1, 0.5));
        assert_eq!(varied("seed", "7").expect("a number").seed, 7);
        assert_eq!(varied("population.degree", "5").expect("a number").population.degree, 5);
        assert!(
            varied("outage.under.per_peer", "3").is_ok() && varied("outage.how", "vanish").is_ok()
        );
    }

    #[test]
    fn what_is_no_key_or_cannot_be_is_said() {
        let cases = [
            ("outge.load", "1", "no table and no step is called outge; steps: settle, outage"),
            ("outage.lod", "1", "unknown field `lod`"),
            ("outage.supernodes", "1.5", "supernodes must be 0 to 1"),
            ("outage.supernodes", "many", "invalid type"),
            ("population.degree", "17", "degree must be 2 to 16"),
        ];
        for (key, with, expected) in cases {
            let error = varied(key, with).expect_err(key);
            assert!(error.contains(expected), "{error}\nnot: {expected}");
        }
        assert!("outage..load".parse::<Key>().is_err() && "".parse::<Key>().is_err());
    }
}
