//! The storm of drops and resumes, over two replicas: wherever a reader comes back, nobody tells the difference.

use crate::resume::over_redis::random::{Storm, config};
use crate::support::{Proxy, Redis};

#[tokio::test]
async fn readers_that_come_back_to_any_replica_lose_nothing_and_get_nothing_twice() {
    let storm = Storm::new();
    let upstream = storm.upstream().await;
    let redis = Redis::start().await;
    let mut config = config(&upstream);
    redis.share(&mut config);
    let replicas = [Proxy::start(config.clone()).await, Proxy::start(config).await];
    storm.rage(&replicas.each_ref().map(|replica| replica.address), &upstream).await;
}
