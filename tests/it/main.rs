//! Larder from outside: the real binary between a scripted origin and a client that sees every byte.
//!
//! One file for each thing a client can want, one test for each promise.

#![cfg(test)]
#![expect(unreachable_pub, reason = "a test binary exports nothing")]

mod support;

mod access;
mod collapse;
mod degrade;
mod disk;
mod edges;
mod fill;
mod framing;
mod fsck;
mod get;
mod harness;
mod head;
mod killed;
mod large;
mod life;
mod limits;
mod observed;
mod oidc;
mod overwrite;
mod put;
mod refused;
mod routes;
mod secrets;
mod verdicts;
