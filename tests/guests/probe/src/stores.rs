//! The store interfaces, one operation each.

use spin_sdk::key_value::Store;
use spin_sdk::pg::{Connection as Postgres, DbValue, ParameterValue};
use spin_sdk::redis::{Connection as Redis, RedisParameter};
use spin_sdk::sqlite::{Connection, Value};
use spin_sdk::wit::wasi::keyvalue::{atomics, store};

use crate::{Said, said};

/// A value as text; bytes that are none are shown in decimal.
fn text(bytes: Option<Vec<u8>>) -> String {
    match bytes.map(String::from_utf8) {
        None => "none".to_owned(),
        Some(Ok(text)) if !text.contains('\0') => text,
        Some(Ok(text)) => format!("{:?}", text.into_bytes()),
        Some(Err(error)) => format!("{:?}", error.into_bytes()),
    }
}

/// `fermyon:spin/key-value`; the key `LABEL:KEY` opens another store than `default`.
pub(crate) fn spin_key_value(operation: &str, key: &str, body: &str) -> Said {
    let (label, key) = key.split_once(':').unwrap_or(("default", key));
    let store = Store::open(label).map_err(|e| format!("{e:?}"))?;
    match operation {
        "get" => said(store.get(key).map(text)),
        "set" => said(store.set(key, body.as_bytes()).map(|()| "done")),
        "delete" => said(store.delete(key).map(|()| "done")),
        "exists" => said(store.exists(key)),
        "keys" => said(store.get_keys().map(|keys| keys.join(","))),
        _ => Err("no such operation".to_owned()),
    }
}

/// `wasi:keyvalue`.
pub(crate) fn wasi_key_value(operation: &str, key: &str, body: &str) -> Said {
    let bucket = store::open("default").map_err(|e| format!("{e:?}"))?;
    match operation {
        "get" => said(bucket.get(key).map(text)),
        "set" => said(bucket.set(key, body.as_bytes()).map(|()| "done")),
        "increment" => said(atomics::increment(&bucket, key, body.parse().unwrap_or_default())),
        "swap" => said(atomics::Cas::new(&bucket, key).map(|_| "made")),
        _ => Err("no such operation".to_owned()),
    }
}

/// Runs each line as a statement on one connection; the last one's rows, values joined by `|`.
pub(crate) fn sql(database: &str, statements: &str) -> Said {
    let connection = Connection::open(database).map_err(|e| format!("{e:?}"))?;
    let mut rows = String::new();
    for statement in statements.lines() {
        let result = connection.execute(statement, &[]).map_err(|e| format!("{e:?}"))?;
        let lines: Vec<String> =
            result.rows.iter().map(|row| row.values.iter().map(show).collect::<Vec<_>>().join("|")).collect();
        rows = lines.join("\n");
    }
    Ok(rows)
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Integer(integer) => format!("integer {integer}"),
        Value::Real(real) => format!("real {real}"),
        Value::Text(text) => format!("text {text}"),
        Value::Blob(blob) => format!("blob {blob:?}"),
    }
}

/// Runs each line as a statement on one connection, with the parameters that follow it after tabs; what the last one
/// answers: for `query` the types of its columns and its rows, values joined by `|`.
pub(crate) fn postgres(address: &str, operation: &str, lines: &str) -> Said {
    let connection = Postgres::open(address).map_err(|e| format!("{e:?}"))?;
    let mut answer = String::new();
    for line in lines.lines() {
        let mut words = line.split('\t');
        let statement = words.next().unwrap_or_default();
        let parameters: Vec<ParameterValue> = words.map(parameter).collect();
        answer = match operation {
            "execute" => said(connection.execute(statement, &parameters))?,
            _ => {
                let set = connection.query(statement, &parameters).map_err(|e| format!("{e:?}"))?;
                let types: Vec<String> = set
                    .columns
                    .iter()
                    .map(|column| format!("{}: {:?}", column.name, column.data_type))
                    .collect();
                let rows = set.rows.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join("|"));
                std::iter::once(types.join(", ")).chain(rows).collect::<Vec<_>>().join("\n")
            }
        };
    }
    Ok(answer)
}

/// `null`, or a kind and a value: `int64 7`.
fn parameter(word: &str) -> ParameterValue {
    let (kind, value) = word.split_once(' ').unwrap_or((word, ""));
    match kind {
        "bool" => ParameterValue::Boolean(value == "true"),
        "int16" => ParameterValue::Int16(value.parse().unwrap_or_default()),
        "int32" => ParameterValue::Int32(value.parse().unwrap_or_default()),
        "int64" => ParameterValue::Int64(value.parse().unwrap_or_default()),
        "uint64" => ParameterValue::Uint64(value.parse().unwrap_or_default()),
        "float64" => ParameterValue::Floating64(value.parse().unwrap_or_default()),
        "text" => ParameterValue::Str(value.to_owned()),
        "bytes" => ParameterValue::Binary(value.as_bytes().to_vec()),
        _ => ParameterValue::DbNull,
    }
}

fn shown(value: &DbValue) -> String {
    match value {
        DbValue::DbNull => "null".to_owned(),
        DbValue::Str(text) => format!("text {text}"),
        other => format!("{other:?}").trim_start_matches("DbValue::").to_owned(),
    }
}

/// `fermyon:spin/redis`; `execute` sends the body's words.
pub(crate) fn redis(address: &str, operation: &str, key: &str, body: &str) -> Said {
    let redis = Redis::open(address).map_err(|e| format!("{e:?}"))?;
    match operation {
        "get" => said(redis.get(key).map(text)),
        "set" => said(redis.set(key, body.as_bytes()).map(|()| "done")),
        "incr" => said(redis.incr(key)),
        "del" => said(redis.del(&[key.to_owned()])),
        "sadd" => said(redis.sadd(key, &words(body))),
        "srem" => said(redis.srem(key, &words(body))),
        "smembers" => said(redis.smembers(key).map(|mut members| {
            members.sort();
            members.join(",")
        })),
        "publish" => said(redis.publish(key, body.as_bytes()).map(|()| "done")),
        "execute" => {
            let arguments: Vec<RedisParameter> =
                words(body).into_iter().map(|word| RedisParameter::Binary(word.into_bytes())).collect();
            said(redis.execute(key, &arguments).map(|answer| format!("{answer:?}")))
        }
        _ => Err("no such operation".to_owned()),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
