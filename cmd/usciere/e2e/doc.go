// Package e2e tests the built binary from outside: real clients (dig, kdig, drill, dnsperf, curl), real servers behind it
// (NSD, unbound), signals, kills, read-only disks, and the tour of the README. Its tests have the build tag e2e; `make e2e`
// installs what they need and runs them.
package e2e
