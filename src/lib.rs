//! Larder keeps a team's build artifacts close at hand: a caching reverse proxy in front of a
//! Vercel-compatible remote cache.
//!
//! ```text
//! server → router → proxy → { access · tiers · transfer · upstream }
//! ```
//!
//! A request is named, looked up, and then either authorised and served, or transferred. Each
//! station hands the next a richer type; everything moves down once and up once.

pub mod access;
pub mod admin;
pub mod app;
pub mod artifact;
pub mod caller;
pub mod certificate;
pub mod cli;
pub mod config;
pub mod mapped;
pub mod metrics;
pub mod outlet;
pub mod proxy;
pub mod recent;
pub mod router;
pub mod seldom;
pub mod server;
pub mod tasks;
pub mod telemetry;
pub mod tiers;
pub mod traces;
pub mod transfer;
pub mod upstream;
