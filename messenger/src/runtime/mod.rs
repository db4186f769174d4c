//! Handlers, routes and workers.
