//! Scenarios on the shipped `flowtag.sys`.
