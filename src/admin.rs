//! What a command asks of whoever holds the vault: the running server (over its administration listener) or the command itself.
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum Order {
    TokenCreate {
        email: String,
        name: Option<String>,
        scopes: Vec<String>,
        /// Seconds from now
        expires_in: Option<u64>,
        /// `--workspace '*'`
        any_workspace: bool,
    },
    TokenList,
    TokenRevoke {
        id: String,
    },
}
/// `Err`: one sentence for the person at the command line.
/// # Errors
/// When the order cannot be carried out; the text says why and what to do.
pub async fn carry_out(
    _auth: &crate::auth::Auth,
    _order: Order,
) -> Result<serde_json::Value, String> {
    todo!()
}
