//! Larder from outside: the real binary between a scripted origin and a client that sees every byte.
//!
//! One file for each thing a client can want, one test for each promise.

#![cfg(test)]
#![expect(unreachable_pub, reason = "a test binary exports nothing")]

mod support;

mod absent;
mod access;
mod balancer;
mod breaker;
mod collapse;
mod conflicts;
mod conformance;
mod corporate;
mod degrade;
mod disk;
mod doctor;
mod edges;
mod entries;
mod env;
mod exec;
mod exhaustion;
mod faults;
mod fill;
mod framing;
mod fsck;
mod get;
mod harness;
mod head;
mod holds;
mod http2;
mod killed;
mod large;
mod life;
mod limits;
mod listeners;
mod matrix;
mod metered;
mod observed;
mod oidc;
mod openapi;
mod overwrite;
mod own;
mod purge;
mod put;
mod recent;
mod refused;
mod reload;
mod routes;
mod secrets;
mod signed;
mod slow;
mod soak;
mod stats;
mod stop;
mod supervised;
mod tls;
mod traces;
mod verdicts;
mod warm;
mod way;
mod why;
