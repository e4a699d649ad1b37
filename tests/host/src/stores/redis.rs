//! A component's own connection to a Redis server.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};

/// An open connection.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Connection(pub(crate) MultiplexedConnection);

/// More commands than are ever on their way at once, so that none waits in a line (see `key_value_redis.rs` for why).
const COMMANDS: usize = 100_000;

/// Connects without time limits, as Spin does.
pub(crate) async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let unlimited = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(COMMANDS);
    client.get_multiplexed_async_connection_with_config(&unlimited).await
}
