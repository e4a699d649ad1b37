//! What the pages need besides their HTML: one style sheet, one script, one icon. They are part of the component, and their
//! names have a digest of what is in them, so that a browser may keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use octo_http::{Error, Response, respond};

/// A file that pages name.
pub(crate) struct Asset {
    /// Its name, with its digest.
    name: String,
    kind: &'static str,
    bytes: &'static [u8],
    digest: String,
}

impl Asset {
    fn new(start: &str, end: &str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let digest = format!("{:016x}", digest(bytes));
        Self { name: format!("{start}.{digest}.{end}"), kind, bytes, digest }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("site", "css", "text/css; charset=utf-8", include_bytes!("../assets/site.css"))
});
pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("site", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/site.js"))
});
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_bytes!("../assets/icon.svg")));

/// FNV-1a: tells versions of our own files apart, and need not withstand anybody.
const fn digest(mut bytes: &[u8]) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325;
    while let [byte, rest @ ..] = bytes {
        digest = (digest ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        bytes = rest;
    }
    digest
}

/// Get a file that the pages need
///
/// A name has only ever one content.
#[utoipa::path(
    get, path = "/assets/{name}", tag = "pages", operation_id = "getAsset",
    params(("name" = String, Path)),
    responses((status = 200), (status = 304), (status = 404))
)]
pub(crate) async fn asset(headers: HeaderMap, Path(name): Path<String>) -> Result<Response, Error> {
    let known = [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.name == name);
    let asset = known.ok_or_else(respond::not_found)?;
    let tag = format!("\"{}\"", asset.digest);
    let has_it = headers.get(header::IF_NONE_MATCH).is_some_and(|known| {
        known
            .to_str()
            .is_ok_and(|known| known.split(',').any(|its| its.trim().trim_start_matches("W/") == tag))
    });
    let mut response = if has_it {
        respond::empty(StatusCode::NOT_MODIFIED)
    } else {
        respond::with_body(StatusCode::OK, asset.kind, asset.bytes.to_vec())
    };
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, forever);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
