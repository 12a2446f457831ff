//! A web service whose answers come from Lua processes: one process per request, and one that lives as
//! long as the service.
//!
//! ```sh
//! cargo run --release --example axum
//! curl localhost:3000/quote/tea/3
//! curl localhost:3000/orders/next
//! ```
//!
//! `MOONLET_ADDR` sets another address. Ctrl-C lets requests end, then stops the processes.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use moonlet::{Application, Builder, Error, Handle, Kind};
use serde::Deserialize;

/// The Lua application, which becomes part of the program.
const FILES: [(&str, &str); 3] = [
    ("_index.yaml", include_str!("_index.yaml")),
    ("quote.lua", include_str!("quote.lua")),
    ("orders.lua", include_str!("orders.lua")),
];

/// What one request may take.
const LIMIT: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Quote {
    item: String,
    total: f64,
}

async fn quote(
    State(moonlet): State<Handle>,
    Path((item, count)): Path<(String, u32)>,
) -> Result<String, (StatusCode, String)> {
    // If the client goes away, the future is dropped and the process terminated.
    let quote = moonlet.exec("app:quote", (item, count)).timeout(LIMIT).await.map_err(refuse)?;
    let Quote { item, total } = quote.decode().map_err(Error::from).map_err(refuse)?;
    Ok(format!("{count} {item}: {total:.2}\n"))
}

async fn next_order(State(moonlet): State<Handle>) -> Result<String, (StatusCode, String)> {
    let number = moonlet.request("orders", "next", ()).timeout(LIMIT).await.map_err(refuse)?;
    let number: u64 = number.decode().map_err(Error::from).map_err(refuse)?;
    Ok(format!("order {number}\n"))
}

/// The answer to a request that failed.
fn refuse(error: Error) -> (StatusCode, String) {
    let status = match &error {
        Error::Failed(failure) | Error::Refused(failure) => match failure.kind() {
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Unavailable | Kind::RateLimited => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
        Error::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Error::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, format!("{error}\n"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = FILES.map(|(path, text)| (path.into(), text.as_bytes().to_vec()));
    let application = Application::from_files(files);
    if let Some(problem) = application.problems().first() {
        return Err(problem.to_string().into());
    }
    let runtime = Builder::new().application(application).start()?;

    let service = Router::new()
        .route("/quote/{item}/{count}", get(quote))
        .route("/orders/next", get(next_order))
        .with_state(runtime.handle());
    let address = std::env::var("MOONLET_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}; MOONLET_ADDR sets another address")
    })?;
    println!("listening on http://{}; Ctrl-C stops", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, service).with_graceful_shutdown(stop).await?;
    println!("stopping the services");
    runtime.stop().timeout(Duration::from_secs(5)).await?;
    Ok(())
}
