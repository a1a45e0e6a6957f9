//! Errors of the routes, as HTTP and JSON.

use super::types::Problem;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use overlay_proto::status::Status;

/// An error of a route.
#[derive(Debug, Clone)]
pub struct ApiError(pub Problem);

impl From<Status> for ApiError {
    fn from(status: Status) -> ApiError {
        ApiError(status.into())
    }
}

impl ApiError {
    /// An error with a text of its own.
    pub fn new(status: Status, text: impl Into<String>) -> ApiError {
        let way_out = status.way_out().to_owned();
        ApiError(Problem { status, text: text.into(), way_out })
    }
}

/// The HTTP status for `status`: the same number where HTTP has its class for it. The table keeps
/// HTTP's classes, so even a number that HTTP does not know is read by its class (RFC 9110, 15).
pub(super) fn http_status(status: Status) -> StatusCode {
    match status.0 {
        code @ (200..300 | 400..600) => {
            StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
        // A redirect or a "not yet" as the end of a request means that nobody served it.
        _ => StatusCode::BAD_GATEWAY,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (http_status(self.0.status), Json(self.0)).into_response()
    }
}
